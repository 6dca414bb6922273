import {
  makeCloseTask,
  makeEndContained,
  makeResumeContainments,
  makeSweep,
  type Clock,
  type ContainmentStore,
  type LeaseStore,
  type Report,
  type RevocationQueue,
  type RevokeClaimed,
  type RevokeLease,
  type Sweep,
  type TaskStore,
} from '@mayfly/core'
import { startRevocationWorker, type QueueLocation } from '@mayfly/queue'

import { makeAnswerAlarm } from './answer-alarm.ts'
import type { WorkerMetrics } from './metrics.ts'
import { makePatience } from './patience.ts'
import { stopTaking } from './stop-taking.ts'
import { startSweeper } from './sweeper.ts'

export interface TakingOptions {
  readonly leases: Pick<LeaseStore, 'claimMany'>
  readonly containments: ContainmentStore
  readonly tasks: Pick<TaskStore, 'overdue' | 'close'>
  readonly revoke: RevokeLease
  readonly revokeClaimed: RevokeClaimed
  readonly visibilitySeconds: number
  /** Says when many leases have become due at once. */
  readonly subscribeDue: (due: () => void) => { stop(): Promise<void> }
  readonly queue: RevocationQueue
  readonly location: QueueLocation
  readonly concurrency: number
  readonly sweepIntervalMs: number
  readonly metrics: Pick<WorkerMetrics, 'sweep'>
  readonly clock: Clock
  readonly report: Report
}

export interface Taking {
  /** Of the sweeper: since its last pass that went through. */
  readonly secondsSincePass: () => number
  readonly stop: () => Promise<void>
}

/** Revocations in hand may take this long to finish when the worker is stopped. */
const GRACE_MS = 5_000

/** Takes leases to revoke in both ways: when their alarm rings, and by looking for what is due. */
export async function startTaking(options: TakingOptions): Promise<Taking> {
  const { revoke, queue, concurrency, clock, report } = options
  const cut = new AbortController()
  const sweep = makeTakingSweep(options, cut.signal)
  const sweeper = startSweeper({
    sweep,
    intervalMs: options.sweepIntervalMs,
    random: Math.random,
    onPass: ({ succeeded, seconds }) => {
      options.metrics.sweep({ result: succeeded ? 'ok' : 'failed' }, seconds)
    },
    report,
  })
  const alarms = await startRevocationWorker({
    ...options.location,
    concurrency,
    stopGraceMs: GRACE_MS,
    process: makeAnswerAlarm({ revoke, queue, clock, report }),
    onError: (error, leaseId) => {
      report('alarm not handled', error, leaseId === undefined ? {} : { leaseId })
    },
  })
  const due = options.subscribeDue(() => {
    sweeper.wake()
  })
  const sweeping = {
    async stop() {
      await sweeper.stop()
      // Waits for what earlier passes left in hand.
      await sweep(AbortSignal.abort())
    },
  }
  return {
    secondsSincePass: () => sweeper.secondsSincePass(),
    stop: () => stopTaking([due, alarms, sweeping], { graceMs: GRACE_MS, cut }),
  }
}

/** Leases of a containment that end in one statement. */
const CONTAINMENT_BATCH = 200

/** `cut` ends revocations in hand; the sweeper's own signal only keeps it from taking more. */
function makeTakingSweep(options: TakingOptions, cut: AbortSignal): Sweep {
  const { leases, tasks, containments, queue, concurrency, clock, report } = options
  const endContained = makeEndContained({ containments, batchSize: CONTAINMENT_BATCH })
  return makeSweep({
    leases,
    tasks,
    closeTask: makeCloseTask({ tasks, queue, clock, report }),
    resumeContainments: makeResumeContainments({ containments, report }, endContained),
    revoke: (claimed) => options.revokeClaimed(claimed, cut),
    batchSize: concurrency * 8,
    concurrency,
    visibilitySeconds: options.visibilitySeconds,
    patience: makePatience(options.sweepIntervalMs),
    report,
  })
}
