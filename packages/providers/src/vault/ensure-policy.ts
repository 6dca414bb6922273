import { MayflyError } from '@mayfly/core'
import { z } from 'zod'

import type { AclPolicy } from './acl-policy.ts'
import { failed, type Step } from './refusal.ts'
import type { VaultSession } from './session.ts'

const policySchema = z.object({ data: z.object({ policy: z.string() }) })

/**
 * Makes sure that the ACL policy exists and says what its name promises. One that says something
 * else was changed by somebody, and no token is minted on it.
 */
export async function ensurePolicy(
  session: VaultSession,
  { name, document }: AclPolicy,
  signal: AbortSignal,
): Promise<void> {
  const path = `sys/policies/acl/${name}`
  const read = await session({ operation: 'read', path }, signal)
  if (read.answered && read.status === 404) {
    const data = { policy: document }
    const written = await session({ operation: 'write', path, data }, signal)
    if (!written.answered || written.status !== 204) throw failed(WRITE, written)
    return
  }
  const found = policySchema.safeParse(read.answered ? read.body : undefined)
  if (!read.answered || read.status !== 200 || !found.success) throw failed(READ, read)
  if (found.data.data.policy === document) return
  throw new MayflyError(
    'provider_rejected',
    `the policy ${name} at Vault does not say what Mayfly wrote: find out who changed it, and delete it`,
    { details: { reason: 'policy_changed', policy: name } },
  )
}

const CHECK = "the connection's namespace"
const READ: Step = {
  doing: 'show an ACL policy',
  needs: 'read on sys/policies/acl/mayfly-*',
  check: CHECK,
}
const WRITE: Step = {
  doing: 'store an ACL policy',
  needs: 'update on sys/policies/acl/mayfly-*',
  check: CHECK,
}
