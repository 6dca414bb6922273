import type { Death, RevocationHandle, RevocationSent } from '@mayfly/core'
import { z } from 'zod'

import type { VaultReply } from './api.ts'
import { findByLease, LOOKUP_ACCESSOR } from './find-by-lease.ts'
import { openHandle, type VaultHandle } from './handle.ts'
import type { MintParts } from './mint-parts.ts'
import { failed, says, type Step } from './refusal.ts'
import { isUnknownAccessor } from './revoke-accessor.ts'
import type { VaultSession } from './session.ts'

export interface DeathParts extends Pick<MintParts, 'session' | 'settings'> {
  /** How long after a lost answer Vault may still carry the request out. */
  readonly settleSeconds: number
}

export interface DeathQuestion {
  readonly handle: RevocationHandle
  readonly sent: RevocationSent
  readonly signal: AbortSignal
}

export async function deathOf(
  { session, settings, settleSeconds }: DeathParts,
  { handle: sealed, sent, signal }: DeathQuestion,
): Promise<Death> {
  const handle = openHandle(settings, sealed)
  switch (handle.by) {
    case 'nothing':
      return {
        dead: false,
        reason: 'a batch token lives until its own end',
        retryAt: new Date(handle.diesAt),
      }
    case 'accessor':
      return deathByAccessor(session, handle, { now: sent.now, signal })
    case 'lease': {
      const found = await findByLease(session, handle.lease, signal)
      if (found.length > 0) return alive('Vault still has a token for this lease', sent.now)
      const settledAt = new Date(sent.sentAt.getTime() + settleSeconds * 1000)
      if (sent.now < settledAt) {
        const reason = 'Vault may still be carrying out the request whose answer was lost'
        return { dead: false, reason, retryAt: settledAt }
      }
      return { dead: true, proof: "no token at Vault carries this lease's id" }
    }
  }
}

async function deathByAccessor(
  session: VaultSession,
  { accessor, dynamicLease }: Extract<VaultHandle, { by: 'accessor' }>,
  { now, signal }: { readonly now: Date; readonly signal: AbortSignal },
): Promise<Death> {
  const token = await session(
    { operation: 'write', path: 'auth/token/lookup-accessor', data: { accessor } },
    signal,
  )
  if (isFound(token)) return alive('Vault still has the token', now)
  if (!isUnknownAccessor(token)) throw failed(LOOKUP_ACCESSOR, token)
  if (dynamicLease === undefined) {
    return { dead: true, proof: "Vault does not know the token's accessor" }
  }
  const data = { lease_id: dynamicLease }
  const user = await session({ operation: 'write', path: 'sys/leases/lookup', data }, signal)
  if (isFound(user)) return alive("Vault still has the database user's lease", now)
  const gone = user.answered && user.status === 400 && says(user, 'invalid lease')
  if (!gone) throw failed(LOOKUP_LEASE, user)
  return {
    dead: true,
    proof: "Vault knows neither the database user's lease nor its token's accessor",
  }
}

function alive(reason: string, now: Date): Death {
  return { dead: false, reason, retryAt: new Date(now.getTime() + 1000) }
}

const foundSchema = z.object({ data: z.looseObject({}) })

function isFound(reply: VaultReply): boolean {
  return reply.answered && reply.status === 200 && foundSchema.safeParse(reply.body).success
}

const LOOKUP_LEASE: Step = {
  doing: "look up a database user's lease",
  needs: 'update on sys/leases/lookup',
  check: "the connection's namespace",
}
