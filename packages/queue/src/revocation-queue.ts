import { makeBatches, MayflyError, type RevocationQueue } from '@mayfly/core'

import { openQueue, type OpenQueue } from './open-queue.ts'
import type { QueueLocation } from './queue-location.ts'
import { jobOf, type NewRevocationJob } from './revocation-job.ts'
import { within } from './within.ts'

export interface QueueDepth {
  /** Set for a later time. */
  readonly delayed: number
  /** Due, and not yet taken by a worker. */
  readonly waiting: number
  readonly active: number
}

export interface ConnectedRevocationQueue extends RevocationQueue {
  depth(): Promise<QueueDepth>
  /** Rejects when the queue cannot be reached now. It is tried again with the next `schedule`. */
  waitUntilReady(): Promise<void>
  close(): Promise<void>
}

/** A mint waits this long for its alarm at most. */
const SCHEDULE_TIMEOUT_MS = 1_500
/** The first connection also makes or upgrades BullMQ's tables. */
const READY_TIMEOUT_MS = 15_000
/** Alarms that are set in one statement at most. */
const BATCH_SIZE = 256
/** While the queue is away, one caller a second pays for finding out. */
const REOPEN_PAUSE_MS = 1_000

/**
 * The alarm clock of leases, on BullMQ. Connects in the background; every failure is a
 * `database_unavailable` within two seconds, since the sweeper finds what was not scheduled.
 */
export function makeRevocationQueue(location: QueueLocation): ConnectedRevocationQueue {
  const connection = makeConnection(() => openQueue(location))
  connection.get().catch(() => undefined) // whoever schedules first gets the error

  async function use<Result>(
    timeoutMs: number,
    work: (queue: OpenQueue) => Promise<Result>,
  ): Promise<Result> {
    return answered(() => within(timeoutMs, connection.get().then(work)))
  }

  // One by one, PostgreSQL sets alarms more slowly than a busy broker mints, and those that wait for
  // their turn for too long are given up.
  const set = makeBatches<NewRevocationJob, undefined>({
    limit: BATCH_SIZE,
    write: async (jobs) => {
      const added = connection.get().then((queue) => queue.add(jobs))
      await within(SCHEDULE_TIMEOUT_MS, added)
      return jobs.map(() => undefined)
    },
  })

  return {
    async schedule(leaseId, at) {
      await answered(() => within(SCHEDULE_TIMEOUT_MS, set(jobOf({ leaseId, at }))))
    },
    async depth() {
      const counts = await use(SCHEDULE_TIMEOUT_MS, (queue) =>
        queue.getJobCounts('delayed', 'waiting', 'active'),
      )
      const count = (state: string): number => counts[state] ?? 0
      return { delayed: count('delayed'), waiting: count('waiting'), active: count('active') }
    },
    async waitUntilReady() {
      await use(READY_TIMEOUT_MS, () => Promise.resolve())
    },
    close: () => connection.close(),
  }
}

async function answered<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (cause) {
    throw new MayflyError('database_unavailable', 'the revocation queue did not answer', {
      retryable: true,
      cause,
    })
  }
}

interface Connection {
  get(): Promise<OpenQueue>
  close(): Promise<void>
}

/** Keeps what opened and forgets what failed: BullMQ remembers a failed start for ever. */
function makeConnection(open: () => Promise<OpenQueue>): Connection {
  let opening: Promise<OpenQueue> | null = null
  let reopenAt = 0
  let closed = false

  return {
    get() {
      if (closed) return Promise.reject(new Error('the revocation queue is closed'))
      if (opening) return opening
      if (Date.now() < reopenAt) return Promise.reject(new Error('tried a moment ago'))
      opening = open().catch((error: unknown) => {
        opening = null
        reopenAt = Date.now() + REOPEN_PAUSE_MS
        throw error
      })
      return opening
    },
    async close() {
      closed = true
      const queue = await opening?.catch(() => null)
      await queue?.close()
    },
  }
}
