import { MayflyError, type RevocationHandle } from '@mayfly/core'

import { findByLease } from './find-by-lease.ts'
import { openHandle } from './handle.ts'
import type { MintParts } from './mint-parts.ts'
import { failed, says, type Step } from './refusal.ts'
import { isDone, isRevoked, REVOKE_ACCESSOR, revocationOf } from './revoke-accessor.ts'
import type { VaultSession } from './session.ts'

export async function revokeWith(
  { session, settings }: Pick<MintParts, 'session' | 'settings'>,
  sealed: RevocationHandle,
  signal: AbortSignal,
): Promise<void> {
  const handle = openHandle(settings, sealed)
  switch (handle.by) {
    case 'nothing':
      throw new MayflyError(
        'provider_rejected',
        'this is a batch token, which nothing but its own clock ends: set token_type=service on the token role',
        { details: { reason: 'batch_token', diesAt: handle.diesAt } },
      )
    case 'lease':
      for (const accessor of await findByLease(session, handle.lease, signal)) {
        await revokeToken(session, accessor, signal)
      }
      return
    case 'accessor':
      // The user first: once its token is gone, Vault removes the user in its own time.
      if (handle.dynamicLease !== undefined) {
        await revokeDynamicLease(session, handle.dynamicLease, signal)
      }
      await revokeToken(session, handle.accessor, signal)
  }
}

async function revokeToken(
  session: VaultSession,
  accessor: string,
  signal: AbortSignal,
): Promise<void> {
  const reply = await session(revocationOf(accessor), signal)
  if (!isRevoked(reply)) throw failed(REVOKE_ACCESSOR, reply)
}

async function revokeDynamicLease(
  session: VaultSession,
  leaseId: string,
  signal: AbortSignal,
): Promise<void> {
  // Without `sync` the answer would only mean that the revocation is queued.
  const data = { lease_id: leaseId, sync: true }
  const reply = await session({ operation: 'write', path: 'sys/leases/revoke', data }, signal)
  const unknown = reply.answered && reply.status === 400 && says(reply, 'invalid lease')
  if (!isDone(reply) && !unknown) throw failed(REVOKE_LEASE, reply)
}

const REVOKE_LEASE: Step = {
  doing: 'remove a database user by its lease',
  needs: 'update on sys/leases/revoke',
  check: 'that Vault still reaches the database, and may drop users there',
  // A database that is down comes back as a bad request.
  passing: [400],
}
