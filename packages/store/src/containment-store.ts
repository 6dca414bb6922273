import {
  MayflyError,
  type ContainedLease,
  type ContainmentStore,
  type LeaseState,
} from '@mayfly/core'
import { z } from 'zod'

import { CONTAINED_STATE, containedState } from './contained-state.ts'
import { containmentOf, containmentsWhere } from './containment-row.ts'
import type { Database, Session } from './database.ts'
import { DUE_CHANNEL } from './due-subscription.ts'
import { LEASE_COLUMNS, leaseOf } from './lease-row.ts'

const BEGIN = { name: 'begin_containment', text: 'SELECT * FROM begin_containment($1)' }

// Statements with a selector have no name: planned anew each time, they use the indexes that the
// selector's own fields allow.
// What is not over is due at some time. Its states are spelt out besides, because the index on targets
// is for those only: without them, every lease that is not over would be looked at.
const OPEN = `due_at IS NOT NULL
  AND state IN ('pending', 'active', 'revoking', 'revocation_failed')`

const PREVIEW = `
  SELECT ${LEASE_COLUMNS} FROM leases
    WHERE ${OPEN} AND selector_matches($1, leases) ORDER BY id LIMIT $2`

const GROUPS = `
  SELECT provider, agent, state, count(*)::int AS count FROM leases
    WHERE ${OPEN} AND selector_matches($1, leases)
    GROUP BY provider, agent, state ORDER BY provider, agent, state`

// The freeze committed before, so every lease that matches has committed too, and none was opened
// since. Those that come after the freeze is over are not meant. What died between the freeze and
// this moment was live when the containment began, and is found by the event of its death.
const COLLECT = `
  WITH open AS (
    SELECT id FROM containments
      WHERE id = $1 AND collected_at IS NULL AND cancelled_at IS NULL FOR UPDATE
  ), died AS MATERIALIZED (
    SELECT DISTINCT lease_id AS id FROM audit_events
      WHERE at >= $3 AND type IN ('lease.revoked', 'lease.expired', 'lease.failed')
  ), member AS (
    INSERT INTO contained_leases (containment_id, lease_id, ended_at)
      SELECT $1, leases.id, NULL::timestamptz FROM leases
        WHERE ${OPEN} AND selector_matches($2, leases) AND created_at <= $3
          AND EXISTS (SELECT FROM open)
      UNION ALL
      SELECT $1, leases.id, now() FROM died JOIN leases ON leases.id = died.id
        WHERE due_at IS NULL AND selector_matches($2, leases) AND created_at <= $3
          AND EXISTS (SELECT FROM open)
      ON CONFLICT DO NOTHING
  )
  UPDATE containments SET collected_at = now() FROM open WHERE containments.id = open.id`

// Like the ending of one lease, and besides: what somebody else had ended before is tried again at
// once. The lock on the containment makes a cancellation wait for batches in hand.
const END_SOME = {
  name: 'end_contained_leases',
  text: `
    WITH batch AS (
      SELECT m.lease_id FROM contained_leases m JOIN containments c ON c.id = m.containment_id
        WHERE m.containment_id = $1 AND m.ended_at IS NULL AND c.cancelled_at IS NULL
        ORDER BY m.lease_id LIMIT $2
        FOR UPDATE OF m SKIP LOCKED FOR SHARE OF c
    ), locked AS (
      SELECT l.id FROM leases l WHERE l.id IN (SELECT lease_id FROM batch) ORDER BY l.id FOR UPDATE
    ), lease AS (
      UPDATE leases l SET
          end_reason = coalesce(l.end_reason, 'containment'),
          ended_at = coalesce(l.ended_at, now()),
          due_at = CASE WHEN l.state IN ('active', 'revocation_failed')
              AND l.irrevocable_dies_at IS NULL THEN least(l.due_at, now()) ELSE l.due_at END
        FROM locked WHERE l.id = locked.id AND l.due_at IS NOT NULL
        RETURNING l.*
    ), event AS (
      INSERT INTO audit_events (type, subject, agent, task_id, lease_id, decision_id, data)
        SELECT 'lease.ended', subject, agent, task_id, id, decision_id, jsonb_build_object(
            'reason', end_reason, 'from', state, 'containmentId', $1::text)
          FROM lease WHERE end_reason = 'containment' AND ended_at = now()::timestamptz(3)
    ), member AS (
      UPDATE contained_leases m SET ended_at = now() FROM batch
        WHERE m.containment_id = $1 AND m.lease_id = batch.lease_id
        RETURNING 1
    )
    SELECT (SELECT count(*)::int FROM member) AS count, pg_notify('${DUE_CHANNEL}', '')
      WHERE EXISTS (SELECT FROM member)`,
}

const UNENDED = {
  name: 'unended_containments',
  text: `SELECT id FROM containments c WHERE cancelled_at IS NULL AND (collected_at IS NULL
           OR EXISTS (SELECT FROM contained_leases m
             WHERE m.containment_id = c.id AND m.ended_at IS NULL))
           ORDER BY id`,
}

const FIND = { name: 'find_containment', text: containmentsWhere('WHERE id = $1') }
const LIST = { name: 'list_containments', text: containmentsWhere('ORDER BY id DESC LIMIT $1') }

const LEASES = {
  name: 'leases_of_containment',
  text: `
    WITH first AS MATERIALIZED (
      SELECT l.id, l.due_at IS NULL AS over FROM contained_leases m JOIN leases l ON l.id = m.lease_id
        WHERE m.containment_id = $1 ORDER BY over, l.id LIMIT $2
    )
    SELECT ${LEASE_COLUMNS}, "containedState", "nextAttemptAt" FROM (
      SELECT l.*, over, ${CONTAINED_STATE} AS "containedState", l.due_at AS "nextAttemptAt"
        FROM first JOIN leases l ON l.id = first.id
          JOIN contained_leases m ON m.containment_id = $1 AND m.lease_id = l.id
          JOIN containments c ON c.id = m.containment_id
    ) l ORDER BY over, id`,
}

const CANCEL = {
  name: 'cancel_containment',
  text: `
    WITH c AS (
      UPDATE containments SET cancelled_at = now(), cancelled_by = $2, cancel_reason = $3
        WHERE id = $1 AND cancelled_at IS NULL
        RETURNING *
    ), f AS (
      UPDATE freezes SET lifted_at = now(), lifted_by = $2, lift_reason = $3
        FROM c WHERE freezes.id = c.freeze_id AND lifted_at IS NULL
          AND (expires_at IS NULL OR expires_at > now())
        RETURNING freezes.id
    ), lifted AS (
      INSERT INTO audit_events (type, subject, data)
        SELECT 'freeze.lifted', $2, jsonb_build_object('freezeId', id, 'reason', $3::text,
          'containmentId', $1::text) FROM f
    )
    INSERT INTO audit_events (type, subject, data)
      SELECT 'containment.cancelled', $2,
        jsonb_build_object('containmentId', id, 'reason', $3::text) FROM c`,
}

const beginSchema = z.tuple([
  z.object({
    outcome: z.enum([
      'started',
      'existing',
      'idempotency_conflict',
      'selector_matches_nothing',
      'freeze_expiry_invalid',
    ]),
    containment_id: z.string().nullable(),
  }),
])

const REFUSALS = {
  idempotency_conflict: 'this idempotency key was used for another request',
  selector_matches_nothing: 'no live lease matches: to stop future ones, use a freeze',
  freeze_expiry_invalid: 'a freeze cannot end before it begins',
} as const

const groupsSchema = z.array(
  z.object({
    provider: z.enum(['github', 'aws', 'vault']),
    agent: z.string(),
    state: z.custom<LeaseState>((value) => typeof value === 'string'),
    count: z.int(),
  }),
)
const countSchema = z.array(z.object({ count: z.int() }))
const idsSchema = z.array(z.object({ id: z.string() }))
const memberSchema = z.object({ containedState, nextAttemptAt: z.date().nullable() })

/** Containments in PostgreSQL. Where one stands is never stored: it is counted from its leases. */
export function makeContainmentStore(database: Database): ContainmentStore {
  async function find(session: Session, id: string) {
    const [row] = await session.rows(FIND, [id])
    return row === undefined ? null : containmentOf(row)
  }

  return {
    async preview(selector, limit) {
      const asked = JSON.stringify(selector)
      const leases = (await database.rows({ text: PREVIEW }, [asked, limit])).map(leaseOf)
      const groups = groupsSchema.parse(await database.rows({ text: GROUPS }, [asked]))
      return { groups, leases }
    },
    async begin({ freezeUntil, idempotency, ...asked }) {
      const document = JSON.stringify({
        ...asked,
        ...(freezeUntil && { freezeUntil }),
        ...(idempotency && {
          idempotencyKey: idempotency.key,
          requestSha256: idempotency.requestSha256,
        }),
      })
      const [{ outcome, containment_id: id }] = beginSchema.parse(
        await database.rows(BEGIN, [document]),
      )
      if (outcome !== 'started' && outcome !== 'existing')
        throw new MayflyError(outcome, REFUSALS[outcome])
      if (id === null) throw new Error('a containment that exists has no id')
      return { id, started: outcome === 'started' }
    },
    async collect(id) {
      const containment = await find(database, id)
      if (!containment) throw unknown(id)
      const selector = JSON.stringify(containment.selector)
      await database.rows({ text: COLLECT }, [id, selector, containment.startedAt])
    },
    async endSome(id, limit) {
      const [row] = countSchema.parse(await database.rows(END_SOME, [id, limit]))
      return row?.count ?? 0
    },
    async unended() {
      return idsSchema.parse(await database.rows(UNENDED, [])).map(({ id }) => id)
    },
    find: (id) => find(database, id),
    async list(limit) {
      return (await database.rows(LIST, [limit])).map(containmentOf)
    },
    async leases(id, limit) {
      return (await database.rows(LEASES, [id, limit])).map(memberOf)
    },
    cancel: (id, { by, reason }) =>
      database.transaction(async (session) => {
        await session.rows({ text: 'SELECT FROM containments WHERE id = $1 FOR UPDATE' }, [id])
        const containment = await find(session, id)
        if (!containment) throw unknown(id)
        if (containment.state === 'finished')
          throw new MayflyError('containment_finished', 'everything in it is dead already')
        await session.rows(CANCEL, [id, by, reason])
      }),
  }
}

function memberOf(row: unknown): ContainedLease {
  const { containedState: state, nextAttemptAt } = memberSchema.parse(row)
  return { lease: leaseOf(row), state, nextAttemptAt }
}

function unknown(id: string): MayflyError {
  return new MayflyError('containment_unknown', `no containment ${id}`)
}
