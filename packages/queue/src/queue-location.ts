import type { PostgresPoolConfig } from 'bullmq'

import { REVOCATIONS } from './revocation-job.ts'
import { SteadyClient } from './steady-client.ts'

/** Where the jobs live: in Redis (or Valkey) when `redisUrl` is given, else in PostgreSQL. */
export interface QueueLocation {
  readonly redisUrl?: string | undefined
  readonly databaseUrl: string
  /** Producers and workers meet by this name. */
  readonly queueName?: string | undefined
}

/** The braces put all keys of the queue into one slot of a Redis Cluster. */
export const REDIS_PREFIX = '{mayfly}'

const SCHEMA = 'mayfly_queue'

export function queueNameOf(location: QueueLocation): string {
  return location.queueName ?? REVOCATIONS
}

/** `max` does not count the connection that a worker listens on. */
export function postgresConnection(databaseUrl: string, max: number): PostgresPoolConfig {
  return {
    ...splitOptions(databaseUrl),
    Client: SteadyClient,
    schema: SCHEMA,
    migrate: true,
    max,
    keepAlive: true,
    connectionTimeoutMillis: 1_000,
    query_timeout: 30_000,
  }
}

/**
 * BullMQ finds its schema through `-c search_path` in the start-up options. `pg` lets options in the
 * URL replace those, so they are taken out of the URL and handed over beside it.
 */
function splitOptions(databaseUrl: string): { connectionString: string; options?: string } {
  if (!/[?&]options=/.test(databaseUrl)) return { connectionString: databaseUrl }
  const url = new URL(databaseUrl)
  const options = url.searchParams.get('options') ?? ''
  url.searchParams.delete('options')
  return { connectionString: url.href, options }
}
