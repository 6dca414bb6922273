import {
  makeCloseTask,
  makeSweep,
  type Clock,
  type LeaseStore,
  type Report,
  type RevocationQueue,
  type RevokeLease,
  type TaskStore,
} from '@mayfly/core'
import { startRevocationWorker, type QueueLocation } from '@mayfly/queue'

import { makeAnswerAlarm } from './answer-alarm.ts'
import type { WorkerMetrics } from './metrics.ts'
import { stopTaking } from './stop-taking.ts'
import { startSweeper } from './sweeper.ts'

export interface TakingOptions {
  readonly leases: Pick<LeaseStore, 'due'>
  readonly tasks: Pick<TaskStore, 'overdue' | 'close'>
  readonly revoke: RevokeLease
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
  const { leases, tasks, revoke, queue, concurrency, clock, report } = options
  const cut = new AbortController()
  const sweeper = startSweeper({
    sweep: makeSweep({
      leases,
      tasks,
      closeTask: makeCloseTask({ tasks, queue, clock, report }),
      // The sweeper's own signal only keeps it from taking more.
      revoke: (leaseId) => revoke(leaseId, cut.signal),
      batchSize: concurrency * 8,
      concurrency,
      report,
    }),
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
  return {
    secondsSincePass: () => sweeper.secondsSincePass(),
    stop: () => stopTaking([alarms, sweeper], { graceMs: GRACE_MS, cut }),
  }
}
