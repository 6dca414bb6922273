import type { Providers } from '@mayfly/core'
import { makeMeteredClaims, makeMeteredProviders, makeMetrics } from '@mayfly/runtime'

export type MintStage = 'decide' | 'store' | 'provider' | 'activate'

/** What the broker measures of itself. No label has more values than the policy set has templates. */
export interface BrokerMetrics {
  request(
    labels: { readonly method: string; readonly route: string; readonly status: string },
    seconds: number,
  ): void
  decision(labels: { readonly template: string; readonly code: string }): void
  mintStage(labels: { readonly stage: MintStage }, seconds: number): void
  /** A lease that was opened, and what became of its mint: `ok` or the code of the error. */
  mint(labels: { readonly provider: string; readonly result: string }): void
  refusedToken(labels: { readonly reason: string }): void
  /** An audit event of its own was not written. Those of leases and tasks are part of their write. */
  lostAudit(labels: { readonly event: string }): void
  /** An alarm was not set; the sweeper will find the lease. */
  unscheduled(): void
  /** Counts what becomes of the revocations that callers do not leave to a worker. */
  readonly claims: ReturnType<typeof makeMeteredClaims>
  /** Times the calls to providers. */
  providers(providers: Providers): Providers
  /** Tells which policy set is in force here. */
  followPolicySet(version: () => number): void
  render(): Promise<{ readonly contentType: string; readonly text: string }>
}

export function makeBrokerMetrics(): BrokerMetrics {
  const metrics = makeMetrics()
  metrics.processLevels()
  const unscheduled = metrics.counter({
    name: 'mayfly_unscheduled_total',
    help: 'Alarms that the queue did not take; the sweeper finds those leases',
    labels: [],
  })
  const counter = <Label extends string>(name: string, help: string, ...labels: Label[]) =>
    metrics.counter({ name, help, labels })
  return {
    request: metrics.durations({
      name: 'mayfly_http_request_seconds',
      help: 'HTTP requests by route pattern and status',
      labels: ['method', 'route', 'status'],
    }),
    decision: counter(
      'mayfly_decisions_total',
      'Lease decisions by template and code (allowed, or why not)',
      ...(['template', 'code'] as const),
    ),
    mintStage: metrics.durations({
      name: 'mayfly_mint_stage_seconds',
      help: 'Time that issuing a lease spends in each stage',
      labels: ['stage'],
    }),
    mint: counter(
      'mayfly_mints_total',
      'Leases that were opened, by what became of the mint: ok, or the code of the error',
      ...(['provider', 'result'] as const),
    ),
    refusedToken: counter(
      'mayfly_authentication_refusals_total',
      'Tokens that were presented and refused, by reason',
      'reason',
    ),
    lostAudit: counter(
      'mayfly_audit_failures_total',
      'Audit events that could not be written',
      'event',
    ),
    unscheduled: () => {
      unscheduled({})
    },
    claims: makeMeteredClaims(metrics),
    providers: makeMeteredProviders(metrics),
    followPolicySet: (version) => {
      metrics.gauge(
        { name: 'mayfly_policy_set_version', help: 'The policy set in force in this broker' },
        async () => Promise.resolve().then(version),
      )
    },
    render: () => metrics.render(),
  }
}
