import { setTimeout as pause } from 'node:timers/promises'

import pg from 'pg'

export interface RevocationLag {
  readonly leases: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  /** From the first end to the last. */
  readonly endsOverSeconds: number
  /** From the first revocation to the last. */
  readonly revokedOverSeconds: number
  /** Attempts beyond the first. */
  readonly retries: number
}

const LAG = `
  WITH lag AS (
    SELECT revoked_at, coalesce(ended_at, expires_at) AS ended_at, revocation_attempts,
      extract(epoch FROM revoked_at - coalesce(ended_at, expires_at)) * 1000 AS ms
      FROM leases WHERE state = 'revoked'
  )
  SELECT count(*)::int AS leases,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY ms)::float8 AS "p50Ms",
    percentile_cont(0.99) WITHIN GROUP (ORDER BY ms)::float8 AS "p99Ms",
    max(ms)::float8 AS "maxMs",
    extract(epoch FROM max(ended_at) - min(ended_at))::float8 AS "endsOverSeconds",
    extract(epoch FROM max(revoked_at) - min(revoked_at))::float8 AS "revokedOverSeconds",
    (sum(revocation_attempts) - count(*))::int AS retries
    FROM lag`

const LEFT = `
  SELECT count(*)::int AS left FROM leases WHERE state NOT IN ('failed', 'revoked', 'expired')`

export interface Watch {
  readonly databaseUrl: string
  readonly leases: number
  readonly deadlineSeconds: number
  /** Called once, when no more than half of them are left. */
  readonly halfway?: () => void
  readonly progress: (line: string) => void
}

/** Waits until every lease of the database is dead, and says how late each one was revoked. */
export async function revocationLag(watch: Watch): Promise<RevocationLag> {
  const client = new pg.Client({ connectionString: watch.databaseUrl })
  await client.connect()
  try {
    await untilDead(client, watch)
    const { rows } = await client.query<RevocationLag>(LAG)
    const [lag] = rows
    if (lag?.leases !== watch.leases)
      throw new Error(`${String(lag?.leases)} of ${String(watch.leases)} leases were revoked`)
    return lag
  } finally {
    await client.end()
  }
}

async function untilDead(client: pg.Client, watch: Watch): Promise<void> {
  const { leases, deadlineSeconds, progress } = watch
  let { halfway } = watch
  const deadline = Date.now() + deadlineSeconds * 1000
  for (let told = Date.now(); ;) {
    const { rows } = await client.query<{ left: number }>(LEFT)
    const left = rows[0]?.left ?? NaN
    if (left === 0) return
    if (left <= leases / 2) {
      halfway?.()
      halfway = undefined
    }
    if (Date.now() > deadline) throw new Error(`${String(left)} leases are still alive`)
    if (Date.now() - told > 10_000) {
      told = Date.now()
      progress(`${String(left)} leases to go`)
    }
    await pause(250)
  }
}
