import { setTimeout as sleep } from 'node:timers/promises'

import { UnrecoverableError } from 'bullmq'

import { openWorker, type OpenWorker, type WorkerHooks } from './open-worker.ts'
import type { QueueLocation } from './queue-location.ts'
import { revocationJob } from './revocation-job.ts'
import { within } from './within.ts'

export interface RevocationWorkerOptions extends QueueLocation {
  readonly concurrency: number
  /** How long `stop` waits for running jobs before it aborts them. */
  readonly stopGraceMs: number
  /**
   * Handles one alarm. Alarms may come twice, late, or for a lease that is long over. A rejection
   * means that the alarm itself could not be handled: it rings again shortly, a few times.
   */
  readonly process: (leaseId: string, signal: AbortSignal) => Promise<void>
  /** Every failure, with the lease where there is one; connection errors at most every five seconds. */
  readonly onError: (error: unknown, leaseId?: string) => void
}

export interface RevocationWorker {
  /** Takes no new jobs, waits for the running ones within the grace, then aborts them. */
  stop(): Promise<void>
}

const FIRST_ATTEMPT_MS = 5_000
const AFTER_ABORT_MS = 2_000
const RECONNECT_MAX_MS = 10_000
const CONNECTION_ERROR_PAUSE_MS = 5_000

/**
 * Listens for alarms. Resolves once connected, or once the first attempt to connect has failed: it
 * then goes on trying, since the sweeper does without it.
 */
export async function startRevocationWorker(
  options: RevocationWorkerOptions,
): Promise<RevocationWorker> {
  const stopping = new AbortController()
  const running = new AbortController()
  const attempted = new AbortController()
  const report = throttled(options.onError)
  const hooks: WorkerHooks = {
    process: (payload) => handle(options, payload, running.signal),
    onConnectionError: (error) => {
      attempted.abort()
      report(error)
    },
  }

  const connected = connect(options, hooks, stopping.signal)
  const ready = connected.finally(() => {
    attempted.abort()
  })
  await Promise.race([ready, elapsed(FIRST_ATTEMPT_MS, attempted.signal)])

  return {
    async stop() {
      stopping.abort()
      const worker = await connected
      if (!worker) return
      const abortion = setTimeout(() => {
        running.abort()
      }, options.stopGraceMs)
      try {
        await within(options.stopGraceMs + AFTER_ABORT_MS, worker.close())
      } catch (error) {
        options.onError(error)
        await within(AFTER_ABORT_MS, worker.disconnect()).catch(options.onError)
      } finally {
        clearTimeout(abortion)
      }
    },
  }
}

/** Why an alarm failed stays in this process: BullMQ would write the error's text into the queue. */
async function handle(
  options: RevocationWorkerOptions,
  payload: unknown,
  signal: AbortSignal,
): Promise<void> {
  const job = revocationJob.safeParse(payload)
  if (!job.success) {
    options.onError(job.error)
    throw new UnrecoverableError('not a revocation job')
  }
  const { leaseId } = job.data
  const handled = await options.process(leaseId, signal).then(
    () => true,
    (error: unknown) => {
      options.onError(error, leaseId)
      return false
    },
  )
  if (!handled) throw new Error('alarm not handled')
}

/** Null when stopped before it was connected. */
async function connect(
  options: RevocationWorkerOptions,
  hooks: WorkerHooks,
  stopping: AbortSignal,
): Promise<OpenWorker | null> {
  for (let pauseMs = 500; ; pauseMs = Math.min(pauseMs * 2, RECONNECT_MAX_MS)) {
    const worker = openWorker(options, options.concurrency, hooks)
    try {
      await Promise.race([worker.waitUntilReady(), aborted(stopping)])
      worker.run().catch(hooks.onConnectionError)
      return worker
    } catch (error) {
      if (!stopping.aborted) hooks.onConnectionError(error)
      await worker.close()
    }
    await elapsed(pauseMs, stopping)
    if (stopping.aborted) return null
  }
}

/** Resolves early when the signal aborts. */
function elapsed(ms: number, signal: AbortSignal): Promise<void> {
  return sleep(ms, undefined, { signal }).catch(() => undefined)
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => {
      reject(new Error('stopped'))
    })
  })
}

/** A lost server is one event for the operator, not one for every attempt to find it again. */
function throttled(onError: (error: unknown) => void): (error: unknown) => void {
  let quietUntil = 0
  return (error) => {
    if (Date.now() < quietUntil) return
    quietUntil = Date.now() + CONNECTION_ERROR_PAUSE_MS
    onError(error)
  }
}
