import type { VaultReply, VaultRequest } from './api.ts'
import { says, type Step } from './refusal.ts'

export const REVOKE_ACCESSOR: Step = {
  doing: 'revoke a token by its accessor',
  needs: 'update on auth/token/revoke-accessor',
  check: "the connection's namespace",
}

export function revocationOf(accessor: string): VaultRequest {
  return { operation: 'write', path: 'auth/token/revoke-accessor', data: { accessor } }
}

/**
 * True when the token is revoked or unknown. Some versions warn about an unknown accessor with a
 * 200, others refuse it with a 400. A 403 is the broker's own trouble, and the token lives on.
 */
export function isRevoked(reply: VaultReply): boolean {
  return reply.answered && (isDone(reply) || (reply.status === 400 && isUnknownAccessor(reply)))
}

/** A 204, or a 200 in Vault's own envelope: a proxy's page is not an answer. */
export function isDone(reply: VaultReply): boolean {
  if (!reply.answered) return false
  return reply.status === 204 || (reply.status === 200 && typeof reply.body === 'object')
}

export function isUnknownAccessor(reply: VaultReply): boolean {
  return reply.answered && says(reply, 'invalid accessor')
}
