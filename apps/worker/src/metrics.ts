import type { Providers } from '@mayfly/core'
import type { QueueDepth } from '@mayfly/queue'
import {
  makeMeteredClaims,
  makeMeteredProviders,
  makeMetrics,
  remembered,
  type Level,
} from '@mayfly/runtime'
import type { Levels } from '@mayfly/store'

import { makeCanaryMetrics } from './canary-metrics.ts'
import type { CanaryFlight } from './fly-canary.ts'
import { exportLevels } from './level-metrics.ts'

/** What the worker measures of itself, and of the database that all of them share. */
export interface WorkerMetrics {
  sweep(labels: { readonly result: 'ok' | 'failed' }, seconds: number): void
  webhook(labels: { readonly webhook: string; readonly outcome: string }): void
  canary(flight: CanaryFlight): void
  /** Counts what becomes of claims. */
  readonly claims: ReturnType<typeof makeMeteredClaims>
  /** Times the calls to providers. */
  providers(providers: Providers): Providers
  render(): Promise<{ readonly contentType: string; readonly text: string }>
}

/** Asked when the metrics are read. */
export interface WorkerGauges {
  readonly levels: () => Promise<Levels>
  readonly alarms: () => Promise<QueueDepth>
  readonly secondsSincePass: () => number
  readonly failingWebhooks: () => Promise<number>
}

/** Many readers, or one in a hurry, are told the same. */
const REMEMBER_MS = 5_000

export function makeWorkerMetrics(gauges: WorkerGauges): WorkerMetrics {
  const metrics = makeMetrics()
  metrics.processLevels()
  exportLevels(metrics, remembered(REMEMBER_MS, gauges.levels))
  metrics.gauges(
    {
      name: 'mayfly_alarms',
      help: 'Alarms of the queue: delayed, waiting (rung, and taken by no worker), active',
      labels: ['state'],
    },
    async () => {
      const { delayed, waiting, active } = await gauges.alarms()
      const of = (state: string, value: number): Level<'state'> => ({ labels: { state }, value })
      return [of('delayed', delayed), of('waiting', waiting), of('active', active)]
    },
  )
  metrics.gauge(
    {
      name: 'mayfly_sweep_age_seconds',
      help: 'Since the last pass of this worker’s sweeper that went through',
    },
    () => Promise.resolve(gauges.secondsSincePass()),
  )
  metrics.gauge(
    { name: 'mayfly_failing_webhooks', help: 'Webhooks that have failed too often in a row' },
    gauges.failingWebhooks,
  )
  return {
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
    canary: makeCanaryMetrics(metrics, () => new Date()),
    claims: makeMeteredClaims(metrics),
    providers: makeMeteredProviders(metrics),
    render: () => metrics.render(),
  }
}
