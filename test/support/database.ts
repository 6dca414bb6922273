import { randomBytes } from 'node:crypto'

import pg from 'pg'

export interface TestDatabase {
  readonly connectionString: string
  /** Cuts whoever is still connected. */
  drop(): Promise<void>
}

/** A database of its own, with all migrations applied: create one per test file. */
export function createDatabase(): Promise<TestDatabase> {
  return createFrom('mayfly_template')
}

/** A database with nothing in it. */
export function createEmptyDatabase(): Promise<TestDatabase> {
  return createFrom('template0')
}

async function createFrom(template: string): Promise<TestDatabase> {
  const server = process.env['MAYFLY_TEST_DATABASE_URL']
  if (server === undefined) throw new Error('this Jest project starts no PostgreSQL')
  const name = `test_${randomBytes(8).toString('hex')}`
  await run(server, `CREATE DATABASE ${name} TEMPLATE ${template}`)
  const url = new URL(server)
  url.pathname = `/${name}`
  return {
    connectionString: url.href,
    drop: () => run(server, `DROP DATABASE ${name} WITH (FORCE)`),
  }
}

async function run(connectionString: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}
