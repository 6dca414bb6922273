import { createPostgresBackend, createRedisBackend, Queue } from 'bullmq'
import { Redis } from 'ioredis'

import {
  postgresConnection,
  queueNameOf,
  REDIS_PREFIX,
  type QueueLocation,
} from './queue-location.ts'
import type { NewRevocationJob } from './revocation-job.ts'

/** What the two kinds of BullMQ queue have in common, as far as it is used here. */
export interface OpenQueue {
  add(jobs: readonly NewRevocationJob[]): Promise<void>
  getJobCounts(...states: ('waiting' | 'delayed' | 'active')[]): Promise<Record<string, number>>
  close(): Promise<void>
}

/** Nobody reads BullMQ's event stream, so it is kept short. */
const streams = { events: { maxLen: 100 } }

/** Resolves once connected. Rejects when the first attempt fails, and then holds nothing open. */
export function openQueue(location: QueueLocation): Promise<OpenQueue> {
  return location.redisUrl === undefined
    ? openOnPostgres(location)
    : openOnRedis(location, location.redisUrl)
}

async function openOnPostgres(location: QueueLocation): Promise<OpenQueue> {
  const queue = new Queue(
    queueNameOf(location),
    { connection: postgresConnection(location.databaseUrl, 4), streams },
    createPostgresBackend,
  )
  queue.on('error', ignore)
  try {
    await queue.waitUntilReady()
    return {
      add: (jobs) => addTo(queue, jobs),
      getJobCounts: (...states) => queue.getJobCounts(...states),
      close: () => queue.close(),
    }
  } catch (error) {
    await queue.close()
    throw error
  }
}

async function openOnRedis(location: QueueLocation, redisUrl: string): Promise<OpenQueue> {
  let connectedOnce = false
  const client = new Redis(redisUrl, {
    lazyConnect: true,
    // While Redis is away an add must fail at once: a mint is waiting for it.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: 1_000,
    commandTimeout: 1_000,
    disconnectTimeout: 500,
    retryStrategy: (times) => (connectedOnce ? Math.min(times * 50, 1_000) : null),
  })
  client.on('error', ignore)
  try {
    await client.connect()
    connectedOnce = true
    const queue = new Queue(
      queueNameOf(location),
      { connection: client, prefix: REDIS_PREFIX, streams },
      createRedisBackend,
    )
    queue.on('error', ignore)
    await queue.waitUntilReady()
    return {
      add: (jobs) => addTo(queue, jobs),
      getJobCounts: (...states) => queue.getJobCounts(...states),
      // BullMQ leaves a client open that it was given.
      close: async () => {
        await queue.close()
        client.disconnect()
      },
    }
  } catch (error) {
    client.disconnect()
    throw error
  }
}

/** On PostgreSQL a bulk has a price of its own, which one job alone need not pay. */
async function addTo(
  queue: Pick<Queue, 'add' | 'addBulk'>,
  jobs: readonly NewRevocationJob[],
): Promise<void> {
  const [first, ...rest] = jobs
  if (!first) return
  if (rest.length === 0) await queue.add(first.name, first.data, first.opts)
  else await queue.addBulk([...jobs])
}

/** Every failed add rejects and is reported by its caller; the event would say it a second time. */
function ignore(): void {
  return
}
