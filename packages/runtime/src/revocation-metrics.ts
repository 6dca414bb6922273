import type { ClaimedLease, LeaseStore } from '@mayfly/core'

import type { Metrics } from './metrics.ts'
import { inSpan } from './spans.ts'

type Claims = Pick<LeaseStore, 'claim' | 'claimMany' | 'settle'>

/** A revocation that takes as long as a GitHub token lives has not taken place. */
const LAG_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30, 60, 120, 300, 900, 3600]

/** Counts what becomes of every claim, whoever made it and wherever it was made (R96). */
export function makeMeteredClaims(
  metrics: Pick<Metrics, 'counter' | 'durations'>,
): <Leases extends Claims>(leases: Leases) => Leases {
  const count = metrics.counter({
    name: 'mayfly_revocations_total',
    help: 'Revocation attempts by provider and outcome',
    labels: ['provider', 'outcome'],
  })
  const observeLag = metrics.durations({
    name: 'mayfly_revocation_lag_seconds',
    help: 'From the end of a lease to the proof that its credential is dead, by why it ended',
    labels: ['provider', 'reason'],
    buckets: LAG_SECONDS,
  })
  const claimedAt = new WeakMap<ClaimedLease, number>()

  function settled(claimed: ClaimedLease, outcome: string): void {
    const { lease, now } = claimed
    count({ provider: lease.provider, outcome })
    if (outcome !== 'revoked') return
    const since = lease.endedAt ?? lease.expiresAt
    // By the database's clock, carried forward by how long the attempt took here.
    const tookMs = performance.now() - (claimedAt.get(claimed) ?? performance.now())
    const lagMs = now.getTime() + tookMs - since.getTime()
    const labels = { provider: lease.provider, reason: lease.endReason ?? 'lease_ended' }
    observeLag(labels, Math.max(0, lagMs) / 1_000)
  }

  return (leases) => ({
    ...leases,
    async claim(leaseId: string, visibilitySeconds: number) {
      const claim = await leases.claim(leaseId, visibilitySeconds)
      if (claim.outcome === 'claimed') claimedAt.set(claim.claimed, performance.now())
      return claim
    },
    async claimMany(claim: Parameters<Claims['claimMany']>[0]) {
      const taken = await leases.claimMany(claim)
      for (const claimed of taken.claimed) claimedAt.set(claimed, performance.now())
      return taken
    },
    async settle(...[claimed, settlement]: Parameters<Claims['settle']>) {
      const attributes = { 'mayfly.lease.id': claimed.lease.id, 'mayfly.outcome': settlement.to }
      const kept = await inSpan({ name: 'lease.settle', attributes }, () =>
        leases.settle(claimed, settlement),
      )
      if (kept) settled(claimed, settlement.to)
      return kept
    },
  })
}
