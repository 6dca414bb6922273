import type { Allowed } from './decision.ts'
import type { Lease } from './lease.ts'
import type { Minted, Prepared } from './provider.ts'
import type { ScopeTemplate } from './resources.ts'
import { fillText } from './template.ts'

/**
 * What a lease reaches, as far as it is known before the mint: what the provider reads from the
 * scope, and the resource that policy decided on. The latter names a repository even where the scope
 * has only its id.
 */
export function targetsAtOpening(
  prepared: Pick<Prepared, 'targets'>,
  template: Pick<ScopeTemplate, 'resource'>,
  { parameters }: Pick<Allowed, 'parameters'>,
): readonly string[] {
  const type = template.resource.type.toLowerCase()
  const id = fillText(template.resource.id, parameters)
  const resource = `resource:${type}:${type === 'repo' ? id.toLowerCase() : id}`
  return [...new Set([...prepared.targets, resource])]
}

/** What only the provider's answer has told. */
export function reachedBeyond(lease: Pick<Lease, 'targets'>, minted: Minted): readonly string[] {
  const known = new Set(lease.targets)
  return [...new Set(minted.reached ?? [])].filter((target) => !known.has(target))
}
