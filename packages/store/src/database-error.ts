import { types } from 'node:util'

import { MayflyError } from '@mayfly/core'

/** SQLSTATE classes that say "not now": connection, resources, intervention, system, rollback. */
const PASSING_SQLSTATE = /^(?:08|25P0[34]|40|53|55P03|57|58)/

/** Prisma's own words for the same: P1xxx (no connection), pool and transaction time-outs, conflict. */
const PASSING_PRISMA = /^P(?:1\d{3}|2024|2028|2034|2037)$/

/** Node's: ECONNREFUSED, ENOENT of a socket, EPIPE. */
const SYSTEM = /^E(?!RR_)[A-Z0-9]+$/

/** Runs database calls (and nothing else), and gives their failures the code `database_unavailable`. */
export async function reachDatabase<Result>(calls: () => Promise<Result>): Promise<Result> {
  try {
    return await calls()
  } catch (error) {
    if (!isPassing(error)) throw error
    throw new MayflyError('database_unavailable', 'the database did not answer', {
      retryable: true,
      cause: error,
    })
  }
}

/** The database has answered that nothing of it was done: unlike a lost session, which says nothing. */
export function wasRolledBack(error: unknown): boolean {
  const state = sqlState(error instanceof MayflyError ? error.cause : error)
  return state !== undefined && /^(?:2[1-3]|40|55)/.test(state)
}

/** What no retry will cure, such as a broken constraint, stays what it is: a bug. */
function isPassing(error: unknown): boolean {
  if (!types.isNativeError(error) || error instanceof MayflyError) return false
  const state = sqlState(error)
  if (state !== undefined) return PASSING_SQLSTATE.test(state)
  const code = property(error, 'code')
  // `pg` reports a lost session as an Error without any code.
  if (typeof code !== 'string') return error.name === 'Error'
  return PASSING_PRISMA.test(code) || SYSTEM.test(code)
}

/** The five characters of SQLSTATE in an error of `pg`, or of Prisma on top of it. */
function sqlState(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  for (const name of ['code', 'originalCode']) {
    const value = property(error, name)
    if (typeof value === 'string' && /^(?!P\d)[0-9A-Z]{5}$/.test(value) && !SYSTEM.test(value))
      return value
  }
  return sqlState(property(error, 'cause'))
}

function property(object: object, name: string): unknown {
  return Object.getOwnPropertyDescriptor(object, name)?.value
}
