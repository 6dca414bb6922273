import type { ContainedState, Containment, ContainmentState } from '@mayfly/core'
import { z } from 'zod'

import { CONTAINED_STATE } from './contained-state.ts'
import { selectorColumn } from './freeze-store.ts'

/** One row per containment, with its leases counted by what became of them. */
export function containmentsWhere(condition: string): string {
  return `
    SELECT c.id, c.selector, c.reason, c.incident, c.started_by AS "startedBy",
        c.started_at AS "startedAt", c.freeze_id AS "freezeId", c.collected_at AS "collectedAt",
        c.cancelled_at AS "cancelledAt", c.cancelled_by AS "cancelledBy",
        c.cancel_reason AS "cancelReason",
        f.lifted_at IS NULL AND (f.expires_at IS NULL OR f.expires_at > now()) AS frozen, s.*
      FROM (SELECT * FROM containments ${condition}) c
      JOIN freezes f ON f.id = c.freeze_id
      CROSS JOIN LATERAL (
        SELECT count(*)::int AS total,
            count(*) FILTER (WHERE m.ended_at IS NULL)::int AS unended,
            ${STATES.map((name) => `count(*) FILTER (WHERE b.state = '${name}')::int AS ${name}`).join(', ')},
            max(CASE l.state WHEN 'revoked' THEN l.revoked_at WHEN 'expired'
              THEN l.credential_expires_at WHEN 'failed' THEN m.ended_at END) AS "lastDeathAt",
            max(l.credential_expires_at) FILTER (WHERE l.due_at IS NOT NULL) AS "lastDiesAt"
          FROM contained_leases m JOIN leases l ON l.id = m.lease_id
          CROSS JOIN LATERAL (SELECT ${CONTAINED_STATE} AS state) b
          WHERE m.containment_id = c.id
      ) s
      ORDER BY c.id DESC`
}

const STATES = [
  'queued',
  'propagating',
  'failed',
  'irrevocable',
  'revoked',
  'expired',
  'never_minted',
  'spared',
] as const satisfies readonly ContainedState[]

const count = z.int()

const rowSchema = z.object({
  id: z.string(),
  selector: selectorColumn,
  reason: z.string(),
  incident: z.string(),
  startedBy: z.string(),
  startedAt: z.date(),
  freezeId: z.string(),
  frozen: z.boolean(),
  collectedAt: z.date().nullable(),
  cancelledAt: z.date().nullable(),
  cancelledBy: z.string().nullable(),
  cancelReason: z.string().nullable(),
  total: count,
  unended: count,
  queued: count,
  propagating: count,
  failed: count,
  irrevocable: count,
  revoked: count,
  expired: count,
  never_minted: count,
  spared: count,
  lastDeathAt: z.date().nullable(),
  lastDiesAt: z.date().nullable(),
})

type Row = z.output<typeof rowSchema>

export function containmentOf(row: unknown): Containment {
  const { collectedAt, unended, lastDeathAt, ...facts } = rowSchema.parse(row)
  const { queued, propagating, failed, irrevocable, revoked, expired, never_minted, spared } = facts
  const counts = {
    ...{ queued, propagating, failed, irrevocable },
    ...{ revoked, expired, never_minted, spared },
  }
  const { id, selector, reason, incident, startedBy, startedAt, freezeId, frozen } = facts
  const { cancelledAt, cancelledBy, cancelReason, total, lastDiesAt } = facts
  const state = stateOf({ ...facts, collectedAt, unended, lastDeathAt })
  return {
    ...{ id, selector, reason, incident, startedBy, startedAt, freezeId, frozen, state },
    ...{ counts, total, lastDiesAt, cancelledAt, cancelledBy, cancelReason },
    finishedAt: state === 'finished' ? latest(collectedAt, lastDeathAt) : null,
  }
}

function stateOf(row: Row): ContainmentState {
  if (row.cancelledAt) return 'cancelled'
  if (!row.collectedAt || row.unended > 0) return 'ending'
  if (row.queued + row.propagating + row.failed > 0) return 'revoking'
  return row.irrevocable > 0 ? 'waiting' : 'finished'
}

function latest(one: Date | null, other: Date | null): Date | null {
  return one && other && other > one ? other : (one ?? other)
}
