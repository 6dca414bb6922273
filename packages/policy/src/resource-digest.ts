import { createHash } from 'node:crypto'

import type { PolicySet, Resource } from '@mayfly/core'

/** Hex SHA-256 of a set, the same however its documents were ordered or laid out. */
export function digestOfResources(resources: readonly Resource[]): string {
  const lines = resources.map((resource) => canonicalJson(resource)).sort()
  return createHash('sha256').update(lines.join('\n')).digest('hex')
}

/**
 * The set version in which each template last changed, given the set that is being replaced. Store
 * it with the set: it cannot be told from the set alone.
 */
export function templateVersions(
  resources: readonly Resource[],
  version: number,
  replaced: Pick<PolicySet, 'templates'> | null,
): ReadonlyMap<string, number> {
  const templates = resources.filter((resource) => resource.kind === 'ScopeTemplate')
  return new Map(
    templates.map((template) => {
      const before = replaced?.templates.get(template.name)
      const same = before && canonicalJson(before.template) === canonicalJson(template)
      return [template.name, same ? before.version : version]
    }),
  )
}

/** Keys sorted at every level; `Date` and the like as JSON has them. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, node: unknown) =>
    typeof node === 'object' && node !== null && !Array.isArray(node)
      ? Object.fromEntries(Object.entries(node).sort(([a], [b]) => (a < b ? -1 : 1)))
      : node,
  )
}
