import { MayflyError } from '@mayfly/core'

/** SQLSTATE classes that say "not now": connection, resources, intervention, system, rollback. */
const PASSING_SQLSTATE = /^(?:08|25P0[34]|40|53|55P03|57|58)/

/** Prisma's own words for the same: P1xxx (no connection), pool and transaction time-outs, conflict. */
const PASSING_PRISMA = /^P(?:1\d{3}|2024|2028|2034|2037)$/

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

/** What no retry will cure, such as a broken constraint, stays what it is: a bug. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof MayflyError) return false
  const state = sqlState(error)
  if (state !== undefined) return PASSING_SQLSTATE.test(state)
  const code = property(error, 'code')
  if (typeof code !== 'string') return error.constructor === Error // as `pg` reports a lost session
  return PASSING_PRISMA.test(code) || property(error, 'syscall') !== undefined
}

/** The five characters of SQLSTATE in an error of `pg`, or of Prisma on top of it. */
export function sqlState(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  for (const name of ['code', 'originalCode']) {
    const value = property(error, name)
    if (typeof value === 'string' && /^[0-9A-Z]{5}$/.test(value) && !value.startsWith('P'))
      return value
  }
  return sqlState(property(error, 'cause'))
}

function property(error: Error, name: string): unknown {
  return Object.getOwnPropertyDescriptor(error, name)?.value
}
