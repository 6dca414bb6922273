import type { LeaseFilter, LeaseStore } from '@mayfly/core'
import { z } from 'zod'

import { reachDatabase } from './database-error.ts'
import type { Database } from './database.ts'
import { LEASE_COLUMNS, leaseOf } from './lease-row.ts'

/** As `mayBeLive` says it. The states are spelt out for the partial index on targets. */
const LIVE = `(state IN ('pending', 'active', 'revoking', 'revocation_failed')
  AND credential_expires_at > now())`

const DUE = {
  name: 'due_leases',
  text: 'SELECT id FROM leases WHERE due_at <= now() ORDER BY due_at LIMIT $1',
}

const OVERDUE = {
  name: 'overdue_leases',
  text: `SELECT count(*)::int AS count, min(due_at) AS "oldestDueAt" FROM leases
           WHERE due_at <= now()`,
}

const dueSchema = z.array(z.object({ id: z.string() }))
const overdueSchema = z.tuple([z.object({ count: z.int(), oldestDueAt: z.date().nullable() })])

/** What the sweeper has yet to do: its lag is the age of the oldest. */
export interface Overdue {
  readonly count: number
  readonly oldestDueAt: Date | null
}

export interface LeaseQueries extends Pick<LeaseStore, 'find' | 'list' | 'due'> {
  overdue(): Promise<Overdue>
}

export function makeLeaseQueries(database: Database): LeaseQueries {
  return {
    async find(leaseId) {
      const row = await reachDatabase(() =>
        database.prisma.lease.findUnique({ where: { id: leaseId } }),
      )
      return row && leaseOf(row)
    },
    async list(filter) {
      const { text, values } = listStatement(filter)
      const rows = await database.rows({ text }, values)
      return rows.map(leaseOf)
    },
    async due(limit) {
      return dueSchema.parse(await database.rows(DUE, [limit])).map(({ id }) => id)
    },
    async overdue() {
      const [overdue] = overdueSchema.parse(await database.rows(OVERDUE, []))
      return overdue
    },
  }
}

/**
 * Newest first: ids begin with their time, so the primary key is the order.
 *
 * The live ones that a selector matches are found first and sorted then: walking the primary key
 * until enough of them have turned up would read all that are dead where few are alive. The
 * statement has no name: planned anew each time, it uses the indexes that the selector's own fields
 * allow.
 */
function listStatement(filter: LeaseFilter): { text: string; values: readonly unknown[] } {
  const { taskId, target, live, selector, limit } = filter
  const values: unknown[] = []
  const bind = (value: unknown): string => `$${String(values.push(value))}`
  const conditions = [
    ...(taskId === undefined ? [] : [`task_id = ${bind(taskId)}`]),
    ...(target === undefined ? [] : [`targets @> ARRAY[${bind(target)}]`]),
    ...(live === undefined ? [] : [live ? `due_at IS NOT NULL AND ${LIVE}` : `NOT ${LIVE}`]),
    ...(selector ? [`selector_matches(${bind(JSON.stringify(selector))}::jsonb, leases)`] : []),
  ]
  const where = conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''
  const newest = `ORDER BY id DESC LIMIT ${bind(limit)}`
  const matching = `WITH matching AS MATERIALIZED (SELECT id FROM leases ${where})`
  const text =
    live === true && selector
      ? `${matching} SELECT ${LEASE_COLUMNS} FROM leases
           WHERE id IN (SELECT id FROM matching ${newest}) ORDER BY id DESC`
      : `SELECT ${LEASE_COLUMNS} FROM leases ${where} ${newest}`
  return { text, values }
}
