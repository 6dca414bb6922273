import type { ClaimedLease, Settlement } from './claim.ts'
import type { Clock } from './clock.ts'
import { clockFrom } from './clock-from.ts'
import { MayflyError } from './errors.ts'
import type { LeaseStore } from './lease-store.ts'
import type { RevocationHandle } from './provider.ts'
import type { Providers } from './providers.ts'
import { retryAt, type RetryPolicy } from './retry.ts'

export interface RevokeLeaseDeps {
  readonly leases: Pick<LeaseStore, 'claim' | 'settle'>
  readonly providers: Providers
  readonly clock: Clock
  readonly retry: RetryPolicy
  /** Longer than any revocation attempt: after it another worker may try. */
  readonly visibilitySeconds: number
}

export type RevocationOutcome =
  | { readonly outcome: 'revoked' }
  /** Not dead yet; the lease is due again at `at`. */
  | { readonly outcome: 'retry'; readonly at: Date; readonly note: string }
  | { readonly outcome: 'not_due'; readonly at: Date }
  | { readonly outcome: 'nothing_to_do' }

export type RevokeLease = (leaseId: string, signal: AbortSignal) => Promise<RevocationOutcome>

/** {@link RevokeLease} for a lease that the caller has claimed. */
export type RevokeClaimed = (
  claimed: ClaimedLease,
  signal: AbortSignal,
) => Promise<RevocationOutcome>

/**
 * Makes one due lease stop working and proves it. The holder, the worker, the sweeper and a
 * responder all come to this same function; the claim lets one of them act.
 */
export function makeRevokeLease(deps: RevokeLeaseDeps): RevokeLease {
  const revokeClaimed = makeRevokeClaimed(deps)
  return async (leaseId, signal) => {
    const claim = await deps.leases.claim(leaseId, deps.visibilitySeconds)
    if (claim.outcome === 'not_due') return { outcome: 'not_due', at: claim.dueAt }
    if (claim.outcome === 'nothing_to_do') return claim
    return revokeClaimed(claim.claimed, signal)
  }
}

export type RevokeClaimedDeps = Omit<RevokeLeaseDeps, 'leases' | 'visibilitySeconds'> & {
  readonly leases: Pick<LeaseStore, 'settle'>
}

export function makeRevokeClaimed(deps: RevokeClaimedDeps): RevokeClaimed {
  return async (claimed, signal) => {
    const settlement = claimed.handle
      ? await attempt(deps, { ...claimed, handle: claimed.handle }, signal)
      : irrevocable(claimed)

    const kept = await deps.leases.settle(claimed, settlement)
    if (!kept) return { outcome: 'nothing_to_do' }
    if (settlement.to === 'revoked') return { outcome: 'revoked' }
    return { outcome: 'retry', at: settlement.retryAt, note: settlement.note }
  }
}

async function attempt(
  deps: RevokeClaimedDeps,
  claimed: ClaimedLease & { handle: RevocationHandle },
  signal: AbortSignal,
): Promise<Settlement> {
  const { lease, handle } = claimed
  // The database's clock, carried forward by how long this attempt has taken here: a worker whose
  // own clock is wrong still measures elapsed time correctly.
  const clock = clockFrom(claimed.now, deps.clock)
  const now = (): Date => clock.now()
  try {
    const provider = await deps.providers.get(lease.connection, lease.policySetVersion)
    await provider.revoke(handle, signal, now())
    const sentAt = claimed.sentAt ?? now()
    const death = await provider.verifyDead(
      handle,
      { leaseId: lease.id, sentAt, now: now() },
      signal,
    )
    if (death.dead) return { to: 'revoked', proof: death.proof }
    // What was revoked can have been revived and revoked again since: the provider would know.
    const standsSince = death.sentAt ?? sentAt
    return {
      to: 'propagating',
      note: death.reason,
      retryAt: death.retryAt,
      sentAt: standsSince,
    }
  } catch (error) {
    return {
      to: 'revocation_failed',
      note: noteOf(error),
      retryAt: retryAt(deps.retry, { attempt: claimed.attempt, now: now(), error }),
    }
  }
}

/** Nothing to revoke with: the provider's own clock is the only end, and the lease says so. */
function irrevocable({ lease }: ClaimedLease): Settlement {
  const reason =
    'the response to the mint was lost, and this credential can be revoked only with itself'
  return {
    to: 'revocation_failed',
    note: reason,
    retryAt: lease.credentialExpiresAt,
    irrevocable: { reason, diesAt: lease.credentialExpiresAt },
  }
}

function noteOf(error: unknown): string {
  return error instanceof MayflyError ? `${error.code}: ${error.message}` : 'internal error'
}
