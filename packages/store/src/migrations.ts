import { createHash, randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { z } from 'zod'

import { reachDatabase } from './database-error.ts'

/** The same folder that `prisma migrate deploy` reads; as far from `dist` as from `src`. */
const FOLDER = fileURLToPath(new URL('../../../prisma/migrations/', import.meta.url))

/** The lock that `prisma migrate` takes: neither runs while the other does. */
const PRISMA_MIGRATE_LOCK = 72_707_369

/** As Prisma creates it. */
const TABLE = `
  CREATE TABLE IF NOT EXISTS _prisma_migrations (
    id                  VARCHAR(36) PRIMARY KEY NOT NULL,
    checksum            VARCHAR(64) NOT NULL,
    finished_at         TIMESTAMPTZ,
    migration_name      VARCHAR(255) NOT NULL,
    logs                TEXT,
    rolled_back_at      TIMESTAMPTZ,
    started_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
    applied_steps_count INTEGER NOT NULL DEFAULT 0
  )`

interface Migration {
  readonly name: string
  readonly sql: string
  readonly checksum: string
}

const appliedSchema = z.array(
  z.object({ name: z.string(), checksum: z.string(), finished: z.boolean() }),
)

/**
 * Brings a database up to date and returns the names of what it applied. All or nothing, and safe
 * to run from every broker at once. Throws when an applied migration was edited since, or when
 * `prisma migrate` left one half done.
 */
export async function applyMigrations(connectionString: string): Promise<readonly string[]> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 10_000 })
  try {
    await reachDatabase(() => client.connect())
    await client.query('BEGIN')
    await client.query('SELECT pg_advisory_xact_lock($1)', [PRISMA_MIGRATE_LOCK])
    await client.query(TABLE)
    const pending = await findPending(client)
    for (const migration of pending) await apply(client, migration)
    await client.query('COMMIT')
    return pending.map(({ name }) => name)
  } finally {
    // Ending the session also rolls back what did not commit.
    await client.end()
  }
}

async function findPending(client: pg.Client): Promise<readonly Migration[]> {
  const { rows } = await client.query(
    `SELECT migration_name AS name, checksum, finished_at IS NOT NULL AS finished
       FROM _prisma_migrations WHERE rolled_back_at IS NULL`,
  )
  const applied = new Map(appliedSchema.parse(rows).map((row) => [row.name, row]))
  return readMigrations().filter(({ name, checksum }) => {
    const row = applied.get(name)
    if (!row) return true
    if (!row.finished) throw new Error(`migration ${name} is half done: see prisma migrate resolve`)
    if (row.checksum !== checksum) throw new Error(`migration ${name} was edited after it ran`)
    return false
  })
}

async function apply(client: pg.Client, { name, sql, checksum }: Migration): Promise<void> {
  const startedAt = new Date()
  await client.query(sql)
  await client.query(
    `INSERT INTO _prisma_migrations
       (id, checksum, finished_at, migration_name, started_at, applied_steps_count)
     VALUES ($1, $2, clock_timestamp(), $3, $4, 1)`,
    [randomUUID(), checksum, name, startedAt],
  )
}

function readMigrations(): readonly Migration[] {
  return readdirSync(FOLDER, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort()
    .map((name) => {
      const sql = readFileSync(`${FOLDER}${name}/migration.sql`, 'utf8')
      return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') }
    })
}
