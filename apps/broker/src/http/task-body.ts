import type { Task } from '@mayfly/core'
import type { TaskBody } from '@mayfly/protocol'

/** A task as its holder and operators see it. Claims stay inside: they are the token's, not ours. */
export function taskBody(task: Task): TaskBody {
  return {
    id: task.id,
    agent: task.agent,
    owner: task.owner,
    environment: task.environment,
    issuer: task.issuer,
    subject: task.subject,
    intent: { ...task.intent },
    declarations: task.declarations.map(({ template, actions, parameters }) => ({
      template,
      actions: [...actions],
      parameters: { ...parameters },
    })),
    openedAt: task.openedAt.toISOString(),
    notAfter: task.notAfter.toISOString(),
    closedAt: task.closedAt?.toISOString() ?? null,
  }
}
