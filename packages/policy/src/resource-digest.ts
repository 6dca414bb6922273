import { createHash } from 'node:crypto'

import type { Resource } from '@mayfly/core'

/** Hex SHA-256 of a set, the same however its documents were ordered or laid out. */
export function digestOfResources(resources: readonly Resource[]): string {
  const lines = resources.map((resource) => canonicalJson(resource)).sort()
  return createHash('sha256').update(lines.join('\n')).digest('hex')
}

/** Keys sorted at every level; `Date` and the like as JSON has them. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, node: unknown) =>
    typeof node === 'object' && node !== null && !Array.isArray(node)
      ? Object.fromEntries(Object.entries(node).sort(([a], [b]) => (a < b ? -1 : 1)))
      : node,
  )
}
