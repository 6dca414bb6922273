import type { DeniedSessions, RoleDenials } from '@mayfly/core'
import pg from 'pg'

import { reachDatabase } from './database-error.ts'
import { deniedSessionOf, FIND, FORGET, openRoleDenials } from './role-denials.ts'

export interface PostgresDeniedSessions extends DeniedSessions {
  close(): Promise<void>
}

/** Roles whose deny policies may be rewritten at once, and how long one waits for another worker. */
const MAX_LOCKS = 4
/** Apart from the locks: looking something up must not wait until a role is written. */
const MAX_READERS = 2
const LOCK_TIMEOUT_MS = 60_000

/**
 * Holds a role's lock with a database session that does nothing else, because the lock is the
 * session's: it goes when the session does, so a worker that dies lets go of it.
 */
export function makeDeniedSessions(connectionString: string): PostgresDeniedSessions {
  const locks = openPool(connectionString, MAX_LOCKS)
  const readers = openPool(connectionString, MAX_READERS)
  const inTurn = makeTurns()
  const read = async (text: string, values: readonly unknown[]) => {
    const { rows } = await reachDatabase(() => readers.query<object>(text, [...values]))
    return rows
  }
  return {
    async find(leaseId) {
      const [row] = await read(FIND, [leaseId])
      return row === undefined ? null : deniedSessionOf(row)
    },
    async forget(leaseId, since) {
      await read(FORGET, [leaseId, since])
    },
    underRoleLock: (roleArn, work) => inTurn(roleArn, () => underLock(locks, roleArn, work)),
    async close() {
      await Promise.all([locks.end(), readers.end()])
    },
  }
}

function openPool(connectionString: string, max: number): pg.Pool {
  const pool = new pg.Pool({
    connectionString,
    max,
    connectionTimeoutMillis: LOCK_TIMEOUT_MS,
    statement_timeout: LOCK_TIMEOUT_MS,
    application_name: 'mayfly-locks',
  })
  pool.on('error', () => undefined)
  return pool
}

/** One at a time per role in this process, so that a busy role waits in one database session only. */
function makeTurns() {
  const last = new Map<string, Promise<unknown>>()
  return async <Result>(roleArn: string, work: () => Promise<Result>): Promise<Result> => {
    const result = (last.get(roleArn) ?? Promise.resolve()).then(work)
    const over = result.catch(() => undefined)
    last.set(roleArn, over)
    try {
      return await result
    } finally {
      if (last.get(roleArn) === over) last.delete(roleArn)
    }
  }
}

async function underLock<Result>(
  pool: pg.Pool,
  roleArn: string,
  work: (denials: RoleDenials) => Promise<Result>,
): Promise<Result> {
  const client = await reachDatabase(() => pool.connect())
  let lost = false
  const lose = (): void => {
    lost = true
  }
  client.on('error', lose)
  // A lost session fails here, and with it the lock is gone: nothing more is written under it.
  const run = async (text: string, values: readonly unknown[]) => {
    const { rows } = await reachDatabase(() => client.query<object>(text, [...values]))
    return rows
  }
  try {
    await run('SELECT pg_advisory_lock(19788, hashtext($1))', [roleArn])
    const result = await work(openRoleDenials(roleArn, run))
    await run('SELECT pg_advisory_unlock(19788, hashtext($1))', [roleArn])
    return result
  } catch (error) {
    // The session is thrown away, and the lock goes with it.
    lost = true
    throw error
  } finally {
    client.off('error', lose)
    client.release(lost)
  }
}
