import { afterEach, describe, expect, test } from '@jest/globals'
import { applyMigrations } from '@mayfly/store'
import pg from 'pg'

import { createDatabase, createEmptyDatabase, type TestDatabase } from '../../support/database.ts'

let database: TestDatabase
afterEach(() => database.drop())

async function query(sql: string): Promise<readonly unknown[]> {
  const client = new pg.Client({ connectionString: database.connectionString })
  await client.connect()
  const { rows } = await client.query<object>(sql)
  await client.end()
  return rows
}

describe('applying migrations', () => {
  test('many brokers may start on an empty database at once: one of them does the work', async () => {
    database = await createEmptyDatabase()
    const all = await Promise.all(
      Array.from({ length: 6 }, () => applyMigrations(database.connectionString)),
    )
    const names = all.flat()
    expect(names.length).toBeGreaterThan(0)
    expect(all.filter((applied) => applied.length > 0)).toEqual([names])
    expect(
      await query(
        `SELECT migration_name, finished_at IS NOT NULL AS finished, length(checksum) AS length,
                applied_steps_count AS steps FROM _prisma_migrations ORDER BY started_at`,
      ),
    ).toEqual(names.map((name) => ({ migration_name: name, finished: true, length: 64, steps: 1 })))
  })

  test('a second run applies nothing', async () => {
    database = await createDatabase()
    expect(await applyMigrations(database.connectionString)).toEqual([])
  })

  test('an applied migration that was edited since is refused', async () => {
    database = await createDatabase()
    await query(`UPDATE _prisma_migrations SET checksum = repeat('0', 64)`)
    await expect(applyMigrations(database.connectionString)).rejects.toThrow('edited after it ran')
  })

  test('a migration that prisma left half done is refused', async () => {
    database = await createDatabase()
    await query(`UPDATE _prisma_migrations SET finished_at = NULL`)
    await expect(applyMigrations(database.connectionString)).rejects.toThrow('half done')
  })

  test('a server that is not there may be there later; a database that is not there will not', async () => {
    database = await createDatabase()
    await expect(applyMigrations('postgresql://127.0.0.1:1/mayfly')).rejects.toMatchObject({
      code: 'database_unavailable',
      retryable: true,
    })
    const missing = database.connectionString.replace('/test_', '/missing_')
    await expect(applyMigrations(missing)).rejects.toMatchObject({ code: '3D000' })
  })
})
