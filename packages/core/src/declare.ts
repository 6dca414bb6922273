import { MayflyError } from './errors.ts'
import type { Workload } from './identity.ts'
import type { DeclarationRequest } from './open-task.ts'
import type { CompiledTemplate, PolicySet } from './policy-set.ts'
import type { Declaration } from './task.ts'

/**
 * Checks what a task declares at its opening. Claims are bound now, so that a task keeps to the
 * repository it was opened from. Throws `invalid_request`, `scope_template_unknown`,
 * `action_unknown`, `parameter_invalid` or `claim_missing`.
 */
export function declare(
  policySet: Pick<PolicySet, 'templates'>,
  workload: Workload,
  requests: readonly DeclarationRequest[],
): readonly Declaration[] {
  if (requests.length === 0) {
    throw new MayflyError('invalid_request', 'a task declares at least one thing it will ask for')
  }
  return requests.map(({ template, actions, parameters }) => {
    const compiled = templateNamed(policySet, template)
    assertActions(compiled, actions)
    return {
      template,
      actions: [...actions],
      parameters: compiled.bind(parameters, workload.token.claims, { partial: true }),
    }
  })
}

/** Throws `scope_template_unknown`. */
export function templateNamed(
  policySet: Pick<PolicySet, 'templates'>,
  name: string,
): CompiledTemplate {
  const compiled = policySet.templates.get(name)
  if (compiled) return compiled
  throw new MayflyError('scope_template_unknown', `there is no scope template ${name}`)
}

/** Throws `action_unknown`, or `invalid_request` for no action or the same one twice. */
export function assertActions({ template }: CompiledTemplate, actions: readonly string[]): void {
  if (actions.length === 0 || new Set(actions).size !== actions.length) {
    throw new MayflyError('invalid_request', 'name each wanted action once, and at least one')
  }
  const unknown = actions.find((action) => !Object.hasOwn(template.actions, action))
  if (unknown === undefined) return
  throw new MayflyError('action_unknown', `${template.name} has no action ${unknown}`)
}
