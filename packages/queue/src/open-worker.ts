import type { EventEmitter } from 'node:events'

import { createPostgresBackend, createRedisBackend, Worker } from 'bullmq'

import {
  postgresConnection,
  queueNameOf,
  REDIS_PREFIX,
  type QueueLocation,
} from './queue-location.ts'

/** What the two kinds of BullMQ worker have in common, as far as it is used here. */
export interface OpenWorker {
  waitUntilReady(): Promise<void>
  /** Fetches and runs jobs until closed. */
  run(): Promise<void>
  /** Takes no more jobs and resolves when the running ones are done. */
  close(): Promise<void>
  disconnect(): Promise<void>
}

export interface WorkerHooks {
  readonly process: (payload: unknown) => Promise<void>
  readonly onConnectionError: (error: unknown) => void
}

const RETRY_PAUSE_MS = 1_000

/** Makes a worker that is not running yet: on a failed start BullMQ would spin, so run it when ready. */
export function openWorker(
  location: QueueLocation,
  concurrency: number,
  hooks: WorkerHooks,
): OpenWorker {
  const name = queueNameOf(location)
  const options = {
    autorun: false,
    concurrency,
    // A worker that was killed leaves its job locked for 30 s; a second death must not lose it.
    maxStalledCount: 5,
    // How long a fetch that found its server gone waits before the next (15 s if not given).
    runRetryDelay: RETRY_PAUSE_MS,
  }
  const process = ({ data }: { data: unknown }): Promise<void> => hooks.process(data)
  if (location.redisUrl === undefined) {
    const connection = postgresConnection(location.databaseUrl, 8)
    const worker = new Worker(name, process, { ...options, connection }, createPostgresBackend)
    restAfterErrors(worker)
    return worker.on('error', hooks.onConnectionError)
  }
  const connection = redisConnection(location.redisUrl)
  const worker = new Worker(
    name,
    process,
    { ...options, connection, prefix: REDIS_PREFIX },
    createRedisBackend,
  )
  return worker.on('error', hooks.onConnectionError)
}

/**
 * After a fetch that failed with anything but a refused connection, BullMQ fetches again at once: a
 * PostgreSQL that is starting up, full or not to be resolved would be asked thousands of times a
 * second.
 */
function restAfterErrors(worker: Pick<Worker, 'pause' | 'resume'> & EventEmitter): void {
  let resting = false
  worker.on('error', () => {
    if (resting) return
    resting = true
    void worker.pause(true)
    setTimeout(() => {
      resting = false
      void worker.resume()
    }, RETRY_PAUSE_MS).unref()
  })
}

function redisConnection(url: string): object {
  return {
    url,
    // BullMQ's blocking reads must outlive a connection: commands wait for the next one.
    maxRetriesPerRequest: null,
    connectTimeout: 2_000,
    disconnectTimeout: 500,
    retryStrategy: (times: number) => Math.min(times * 100, 2_000),
  }
}
