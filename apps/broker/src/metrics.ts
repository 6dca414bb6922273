import { makeMetrics } from '@mayfly/runtime'

export type MintStage = 'decide' | 'store' | 'provider' | 'activate'

/** What the broker measures of itself. No label has more values than the policy set has templates. */
export interface BrokerMetrics {
  request(
    labels: { readonly method: string; readonly route: string; readonly status: string },
    seconds: number,
  ): void
  decision(labels: { readonly template: string; readonly code: string }): void
  mintStage(labels: { readonly stage: MintStage }, seconds: number): void
  render(): Promise<{ readonly contentType: string; readonly text: string }>
}

export function makeBrokerMetrics(): BrokerMetrics {
  const metrics = makeMetrics()
  return {
    request: metrics.durations({
      name: 'mayfly_http_request_seconds',
      help: 'HTTP requests by route pattern and status',
      labels: ['method', 'route', 'status'],
    }),
    decision: metrics.counter({
      name: 'mayfly_decisions_total',
      help: 'Lease decisions by template and code (allowed, or why not)',
      labels: ['template', 'code'],
    }),
    mintStage: metrics.durations({
      name: 'mayfly_mint_stage_seconds',
      help: 'Time that issuing a lease spends in each stage',
      labels: ['stage'],
    }),
    render: () => metrics.render(),
  }
}
