import pg from 'pg'
import { PrismaPg } from '@prisma/adapter-pg'

import { reachDatabase } from './database-error.ts'
import { PrismaClient } from './generated/client.ts'

export interface DatabaseOptions {
  readonly connectionString: string
  /** Sessions at most, shared by everything the store does but locks and notifications. Default 10. */
  readonly maxConnections?: number
  /** Default 10 seconds. */
  readonly statementTimeoutMs?: number
}

/** With a name, each session prepares the statement once. */
export interface Statement {
  readonly name?: string
  readonly text: string
}

/** One pool, used by Prisma and by the statements that are worth writing by hand. */
export interface Database {
  readonly prisma: PrismaClient
  rows(statement: Statement, values: readonly unknown[]): Promise<readonly unknown[]>
  /** Several statements, one transaction: all or nothing. */
  transaction<Result>(work: (session: Session) => Promise<Result>): Promise<Result>
  close(): Promise<void>
}

export type Session = Pick<Database, 'rows'>

export function openDatabase(options: DatabaseOptions): Database {
  const pool = new pg.Pool({
    connectionString: options.connectionString,
    max: options.maxConnections ?? 10,
    statement_timeout: options.statementTimeoutMs ?? 10_000,
    connectionTimeoutMillis: 5_000,
    application_name: 'mayfly',
  })
  // A session that breaks while idle is replaced by the pool; the next query tells what is wrong.
  pool.on('error', () => undefined)
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool) })

  return {
    prisma,
    rows: (statement, values) => query(pool, statement, values),
    transaction: (work) => transaction(pool, work),
    async close() {
      await prisma.$disconnect()
      await pool.end()
    },
  }
}

async function query(
  target: pg.Pool | pg.PoolClient,
  statement: Statement,
  values: readonly unknown[],
): Promise<readonly unknown[]> {
  const { rows } = await reachDatabase(() =>
    target.query<object>({ ...statement, values: [...values] }),
  )
  return rows
}

async function transaction<Result>(
  pool: pg.Pool,
  work: (session: Session) => Promise<Result>,
): Promise<Result> {
  const client = await reachDatabase(() => pool.connect())
  let usable = true
  // The pool listens only while a session is idle, and without a listener a lost one ends the process.
  const lose = (): void => {
    usable = false
  }
  client.on('error', lose)
  try {
    await reachDatabase(() => client.query('BEGIN'))
    const result = await work({ rows: (statement, values) => query(client, statement, values) })
    await reachDatabase(() => client.query('COMMIT'))
    return result
  } catch (error) {
    // A session that cannot even roll back is thrown away, which rolls back too.
    await client.query('ROLLBACK').catch(lose)
    throw error
  } finally {
    client.off('error', lose)
    client.release(!usable)
  }
}
