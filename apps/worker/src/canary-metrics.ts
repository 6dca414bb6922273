import type { Metrics } from '@mayfly/runtime'

import type { CanaryFlight } from './fly-canary.ts'

interface Standing {
  readonly provider: string
  readonly up: boolean
  readonly lastSuccessSeconds: number
}

/** Tells how each flight went, and how the last one of each template did. */
export function makeCanaryMetrics(
  metrics: Metrics,
  now: () => Date,
): (flight: CanaryFlight) => void {
  const standings = new Map<string, Standing>()
  const observeStage = metrics.durations({
    name: 'mayfly_canary_stage_seconds',
    help: 'Stages of the canary: open, mint, use, revoke, probe',
    labels: ['provider', 'stage'],
    buckets: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300],
  })
  const fail = metrics.counter({
    name: 'mayfly_canary_failures_total',
    help: 'Flights of the canary that failed, by the stage that did and why',
    labels: ['template', 'provider', 'stage', 'code'],
  })
  const level = (name: string, help: string, of: (standing: Standing) => number): void => {
    metrics.gauges({ name, help, labels: ['template', 'provider'] }, () =>
      Promise.resolve(
        [...standings].map(([template, standing]) => ({
          labels: { template, provider: standing.provider },
          value: of(standing),
        })),
      ),
    )
  }
  level('mayfly_canary_up', 'Whether the last flight did what was promised', ({ up }) => Number(up))
  level(
    'mayfly_canary_last_success_timestamp_seconds',
    'When the canary last did; zero when it has not since the start',
    ({ lastSuccessSeconds }) => lastSuccessSeconds,
  )

  return ({ template, provider: reached, seconds, failed }) => {
    const before = standings.get(template)
    const provider = reached ?? before?.provider ?? 'unknown'
    for (const [stage, took] of seconds) observeStage({ provider, stage }, took)
    if (failed) fail({ template, provider, stage: failed.stage, code: failed.code })
    standings.set(template, {
      provider,
      up: failed === null,
      lastSuccessSeconds: failed
        ? (before?.lastSuccessSeconds ?? 0)
        : Math.floor(now().getTime() / 1_000),
    })
  }
}
