import { createHash } from 'node:crypto'

import type { VaultCapability } from './scope.ts'

export interface AclPolicy {
  readonly name: string
  readonly document: string
}

/**
 * The ACL policy for these rules, named by its own content: the same scope always means the same
 * policy, and no policy is ever changed.
 */
export function makeAclPolicy(rules: ReadonlyMap<string, readonly VaultCapability[]>): AclPolicy {
  const sorted = [...rules].sort(([left], [right]) => (left < right ? -1 : 1))
  const path = Object.fromEntries(
    sorted.map(([pattern, capabilities]) => [pattern, { capabilities: [...capabilities].sort() }]),
  )
  const document = JSON.stringify({ path })
  const digest = createHash('sha256').update(document).digest('hex')
  return { name: `mayfly-${digest.slice(0, 32)}`, document }
}
