import { z } from 'zod'

import type { Database } from './database.ts'

// Only leases that are not over have a `due_at`, so that the partial index on it bounds the work,
// however many there ever were.
const LEASES = {
  name: 'lease_levels',
  text: `
    SELECT provider, state, count(*)::int AS leases,
        count(*) FILTER (WHERE overdue)::int AS overdue,
        extract(epoch FROM now() - min(due_at) FILTER (WHERE overdue))::float8 AS "overdueSeconds",
        count(*) FILTER (WHERE unrevoked)::int AS unrevoked,
        extract(epoch FROM now() - min(ended) FILTER (WHERE unrevoked))::float8 AS "unrevokedSeconds",
        count(*) FILTER (WHERE orphaned)::int AS orphaned,
        count(*) FILTER (WHERE irrevocable)::int AS irrevocable,
        extract(epoch FROM max(dies_at) FILTER (WHERE irrevocable))::float8 AS "irrevocableUntil"
      FROM (
        SELECT provider, state, due_at, irrevocable_dies_at AS dies_at,
            coalesce(ended_at, expires_at) AS ended,
            due_at <= now() AS overdue,
            coalesce(ended_at, expires_at) <= now() AND irrevocable_dies_at IS NULL AS unrevoked,
            state = 'pending' AND due_at <= now()
              OR coalesce(end_reason = 'mint_unconfirmed', false) AS orphaned,
            coalesce(irrevocable_dies_at > now(), false) AS irrevocable
          FROM leases WHERE due_at IS NOT NULL
      ) AS open
      GROUP BY provider, state`,
}

const OTHERS = {
  name: 'other_levels',
  text: `
    SELECT
      (SELECT count(*)::int FROM tasks WHERE closed_at IS NULL) AS "openTasks",
      (SELECT count(*)::int FROM freezes
         WHERE lifted_at IS NULL AND (expires_at IS NULL OR expires_at > now())) AS freezes,
      (SELECT coalesce(max(version), 0) FROM policy_sets) AS "policySetVersion"`,
}

const leasesSchema = z.array(
  z.object({
    provider: z.enum(['github', 'aws', 'vault']),
    state: z.enum(['pending', 'active', 'revoking', 'revocation_failed']),
    leases: z.int(),
    overdue: z.int(),
    overdueSeconds: z.number().nullable(),
    unrevoked: z.int(),
    unrevokedSeconds: z.number().nullable(),
    orphaned: z.int(),
    irrevocable: z.int(),
    irrevocableUntil: z.number().nullable(),
  }),
)

const othersSchema = z.tuple([
  z.object({ openTasks: z.int(), freezes: z.int(), policySetVersion: z.int() }),
])

/** Leases of one provider in one state that are not over. Times are by the database's clock. */
export type LeaseLevels = z.output<typeof leasesSchema>[number]

/** How things stand in the database, for those who watch over it. */
export interface Levels extends Readonly<z.output<typeof othersSchema>[0]> {
  readonly leases: readonly Readonly<LeaseLevels>[]
}

export function makeLevels(database: Database): () => Promise<Levels> {
  return async () => {
    const [leases, others] = await Promise.all([
      database.rows(LEASES, []),
      database.rows(OTHERS, []),
    ])
    const [first] = othersSchema.parse(others)
    return { ...first, leases: leasesSchema.parse(leases) }
  }
}
