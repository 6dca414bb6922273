import type { TaskBody } from '@mayfly/protocol'

import type { TemplateRequest } from './requests.ts'
import { requireActions } from './require-actions.ts'

/**
 * Completes requests that name no action with all that their task declared for the template. `task`
 * is asked only when it is needed.
 */
export async function withDeclaredActions(
  requests: readonly TemplateRequest[],
  task: () => Promise<TaskBody>,
): Promise<readonly TemplateRequest[]> {
  if (requests.length === 0 || requests.every(({ actions }) => actions.length > 0)) {
    requireActions(requests)
    return requests
  }
  const { declarations } = await task()
  const completed = requests.map((request) => {
    if (request.actions.length > 0) return request
    const declared = declarations.filter(({ template }) => template === request.template)
    return { ...request, actions: [...new Set(declared.flatMap(({ actions }) => actions))] }
  })
  requireActions(completed)
  return completed
}
