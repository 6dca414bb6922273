import type { Report, Sweep, SweepResult } from '@mayfly/core'

import { makeNap } from './nap.ts'

export interface SweeperOptions {
  readonly sweep: Sweep
  readonly intervalMs: number
  /** Uniform in [0, 1): keeps many workers from sweeping in step. */
  readonly random: () => number
  readonly onPass: (pass: { readonly succeeded: boolean; readonly seconds: number }) => void
  readonly report: Report
}

export interface Sweeper {
  /** Since the last pass that went through, or since the start. */
  secondsSincePass(): number
  /** There is work: sweeps at once, or once more after the pass in hand. */
  wake(): void
  /** Takes no more leases; resolves when those in hand are settled. */
  stop(): Promise<void>
}

const BACKOFF_MAX_MS = 30_000
/** A full batch in which nothing moved must not be read again in a tight circle. */
const STUCK_PAUSE_MS = 100

/** Sweeps until stopped, one pass at a time, and at once again after a pass that found more. */
export function startSweeper(options: SweeperOptions): Sweeper {
  const stopping = new AbortController()
  const nap = makeNap()
  let passedAt = performance.now()
  let failures = 0

  async function pass(): Promise<number> {
    const startedAt = performance.now()
    const seconds = (): number => (performance.now() - startedAt) / 1_000
    try {
      const result = await options.sweep(stopping.signal)
      failures = 0
      passedAt = performance.now()
      options.onPass({ succeeded: true, seconds: seconds() })
      return pauseAfter(result)
    } catch (error) {
      failures += 1
      options.onPass({ succeeded: false, seconds: seconds() })
      options.report('sweep failed', error, { failures })
      return jittered(Math.min(options.intervalMs * 2 ** Math.min(failures, 10), BACKOFF_MAX_MS))
    }
  }

  function pauseAfter(result: SweepResult): number {
    if (!result.more) return jittered(options.intervalMs)
    return result.revoked + result.retried + result.tasksClosed > 0 ? 0 : STUCK_PAUSE_MS
  }

  function jittered(ms: number): number {
    return ms * (0.75 + options.random() / 2)
  }

  async function loop(): Promise<void> {
    while (!stopping.signal.aborted) {
      const pauseMs = await pass()
      await nap.sleep(pauseMs)
    }
  }

  const ended = loop()
  return {
    secondsSincePass: () => (performance.now() - passedAt) / 1_000,
    wake: () => {
      nap.wake()
    },
    async stop() {
      stopping.abort()
      nap.wake()
      await ended
    },
  }
}
