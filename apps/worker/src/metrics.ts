import type { ClaimedLease, LeaseStore } from '@mayfly/core'
import { makeMetrics } from '@mayfly/runtime'

/** What the worker measures of itself. */
export interface WorkerMetrics {
  revocation(labels: { readonly provider: string; readonly outcome: string }): void
  lag(labels: { readonly provider: string }, seconds: number): void
  sweep(labels: { readonly result: 'ok' | 'failed' }, seconds: number): void
  webhook(labels: { readonly webhook: string; readonly outcome: string }): void
  render(): Promise<{ readonly contentType: string; readonly text: string }>
}

/** Asked when the metrics are read. */
export interface WorkerGauges {
  readonly overdueLeases: () => Promise<number>
  readonly lagSeconds: () => Promise<number>
  readonly waitingAlarms: () => Promise<number>
  readonly failingWebhooks?: () => Promise<number>
}

export function makeWorkerMetrics(gauges: WorkerGauges): WorkerMetrics {
  const metrics = makeMetrics()
  metrics.gauge(
    { name: 'mayfly_overdue_leases', help: 'Leases that are due and held by no worker' },
    gauges.overdueLeases,
  )
  metrics.gauge(
    { name: 'mayfly_overdue_seconds', help: 'How long the longest overdue lease has been waiting' },
    gauges.lagSeconds,
  )
  metrics.gauge(
    { name: 'mayfly_waiting_alarms', help: 'Alarms that have rung and that no worker has taken' },
    gauges.waitingAlarms,
  )
  metrics.gauge(
    { name: 'mayfly_failing_webhooks', help: 'Webhooks that have failed too often in a row' },
    gauges.failingWebhooks ?? (() => Promise.resolve(0)),
  )
  return {
    revocation: metrics.counter({
      name: 'mayfly_revocations_total',
      help: 'Revocation attempts by provider and outcome',
      labels: ['provider', 'outcome'],
    }),
    lag: metrics.durations({
      name: 'mayfly_revocation_lag_seconds',
      help: 'From the end of a lease to the proof that its credential is dead',
      labels: ['provider'],
    }),
    sweep: metrics.durations({
      name: 'mayfly_sweep_seconds',
      help: 'Passes of the sweeper by result',
      labels: ['result'],
    }),
    webhook: metrics.counter({
      name: 'mayfly_webhook_deliveries_total',
      help: 'Attempts to deliver an event by webhook and outcome',
      labels: ['webhook', 'outcome'],
    }),
    render: () => metrics.render(),
  }
}

type Claims = Pick<LeaseStore, 'claim' | 'claimMany' | 'settle'>

/** Counts what becomes of every claim, whoever made it. */
export function measured(leases: Claims, metrics: WorkerMetrics): Claims {
  const claimedAt = new WeakMap<ClaimedLease, number>()
  return {
    async claim(leaseId, visibilitySeconds) {
      const claim = await leases.claim(leaseId, visibilitySeconds)
      if (claim.outcome === 'claimed') claimedAt.set(claim.claimed, performance.now())
      return claim
    },
    async claimMany(claim) {
      const taken = await leases.claimMany(claim)
      for (const claimed of taken.claimed) claimedAt.set(claimed, performance.now())
      return taken
    },
    async settle(claimed, settlement) {
      const kept = await leases.settle(claimed, settlement)
      if (!kept) return false
      const { lease } = claimed
      metrics.revocation({ provider: lease.provider, outcome: settlement.to })
      if (settlement.to === 'revoked') {
        const since = lease.endedAt ?? lease.expiresAt
        // By the database's clock, carried forward by how long the attempt took here.
        const tookMs = performance.now() - (claimedAt.get(claimed) ?? performance.now())
        const lagMs = claimed.now.getTime() + tookMs - since.getTime()
        metrics.lag({ provider: lease.provider }, Math.max(0, lagMs) / 1_000)
      }
      return true
    },
  }
}
