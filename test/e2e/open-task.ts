import type { TaskBody } from '@mayfly/protocol'
import type { AcmeTokens } from '@mayfly/sandbox'

import { ERRANDS } from '../support/errands.ts'
import type { Call } from './call.ts'

export interface TaskWish {
  /** The workload token to open it with: that of a fresh job of `acme/payments` unless told. */
  readonly workload: string
  readonly declarations: readonly object[]
  readonly ttlSeconds: number
  readonly headers: Readonly<Record<string, string>>
}

export interface OpenedTask {
  readonly id: string
  /** The task token. */
  readonly token: string
  readonly body: TaskBody
}

interface Opened {
  readonly task: TaskBody
  readonly taskToken: string
}

const EVERYTHING = [
  ...Object.values(ERRANDS).map(({ template, actions }) => ({ template, actions, parameters: {} })),
  { template: 'github-checkout', actions: ['repo.read'], parameters: {} },
]

/** Opens a task that declares all errands, unless told otherwise. */
export async function openWith(
  call: Call,
  tokens: AcmeTokens,
  wish: Partial<TaskWish>,
): Promise<OpenedTask> {
  const { declarations = EVERYTHING, headers = {}, ttlSeconds } = wish
  const answer = await call('POST', '/v1/tasks', {
    token: wish.workload ?? (await tokens.githubActions('payments')),
    headers,
    body: {
      intent: { reason: 'an end-to-end test' },
      declarations,
      ...(ttlSeconds === undefined ? {} : { ttlSeconds }),
    },
  })
  if (answer.status !== 201) throw new Error(`no task: ${answer.text}`)
  const { task, taskToken } = answer.json as unknown as Opened // the contract of 201
  return { id: task.id, token: taskToken, body: task }
}
