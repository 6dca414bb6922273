import { readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'

import type { Clock, Providers, Report } from '@mayfly/core'
import { CredentialText, makeClient } from '@mayfly/protocol'
import type { Environment } from '@mayfly/runtime'
import type { Store } from '@mayfly/store'

import { loadCanaryConfig } from './canary-config.ts'
import { makeFlyCanary, type CanaryFlight } from './fly-canary.ts'
import type { WorkerMetrics } from './metrics.ts'

export interface StartCanaryOptions {
  readonly env: Environment
  readonly store: Pick<Store, 'leases' | 'peekHandle'>
  readonly providers: Providers
  readonly providerTimeoutMs: number
  readonly metrics: Pick<WorkerMetrics, 'canary'>
  readonly clock: Clock
  readonly report: Report
}

/** After a start, so that a broker that starts with it can be ready. */
const FIRST_AFTER_MS = 5_000

/** Flies the canary on its schedule, where there is one. Returns how to stop. */
export function startCanary(options: StartCanaryOptions): () => Promise<void> {
  const { env, store, providers, clock, report } = options
  const config = loadCanaryConfig(env)
  if (!config) return () => Promise.resolve()
  const stopping = new AbortController()
  const { signal } = stopping
  const fly = makeFlyCanary({
    client: makeClient({ baseUrl: config.brokerUrl, userAgent: 'mayfly-canary' }),
    token: async () => new CredentialText((await readFile(config.tokenPath, 'utf8')).trim()),
    findLease: (leaseId) => store.leases.find(leaseId),
    peekHandle: (leaseId) => store.peekHandle(leaseId),
    providers,
    clock,
    pause: (milliseconds) => pause(milliseconds, undefined, { signal }),
    deadlineSeconds: config.deadlineSeconds,
    providerSignal: () => AbortSignal.timeout(options.providerTimeoutMs),
  })

  function tell(flight: CanaryFlight): void {
    if (signal.aborted) return
    options.metrics.canary(flight)
    const { template, failed } = flight
    if (failed) {
      const { stage, code, error } = failed
      report('the canary failed', error, { template, stage, code })
    }
  }

  const intervalMs = config.intervalSeconds * 1_000
  async function loop(): Promise<void> {
    let wait = Math.min(FIRST_AFTER_MS, intervalMs)
    while (!signal.aborted) {
      const due = await pause(wait, true, { signal }).catch(() => false)
      if (!due) return
      for (const flight of await fly(config?.errands ?? [])) tell(flight)
      wait = intervalMs
    }
  }

  const ended = loop().catch((error: unknown) => {
    report('the canary has stopped flying', error)
  })
  return async () => {
    stopping.abort()
    await ended
  }
}
