import {
  eventFacts,
  type OutboxPosition,
  type WebhookEvent,
  type WebhookOutbox,
} from '@mayfly/core'
import { z } from 'zod'

import type { Database } from './database.ts'

/** No transaction below it is running, in any database of the server, and none will ever begin. */
const HORIZON = '(pg_snapshot_xmin(pg_current_snapshot())::text)::bigint'

// What was committed before somebody asked for the webhook is not for it.
const ADD = {
  name: 'add_webhook',
  text: `
    INSERT INTO webhook_cursors (name, txid, seq)
      SELECT $1, coalesce(applied.txid, ${HORIZON}), coalesce(applied.seq, 0)
        FROM (SELECT) AS one LEFT JOIN LATERAL (SELECT txid, seq FROM audit_events
          WHERE type = 'policy_set.applied' ORDER BY txid DESC, seq DESC LIMIT 1) AS applied ON true
      ON CONFLICT (name) DO NOTHING`,
}

// A database that was restored elsewhere counts its transactions anew, below where we had got.
const CLAIM = {
  name: 'claim_webhook',
  text: `
    UPDATE webhook_cursors SET claim = claim + 1,
        claimed_until = now() + make_interval(secs => $2), txid = least(txid, ${HORIZON})
      WHERE name = $1 AND due_at <= now() AND (claimed_until IS NULL OR claimed_until <= now())
      RETURNING name, claim, failures, txid AS "transactionId", seq`,
}

const NEXT = {
  name: 'next_webhook_events',
  text: `
    SELECT h.horizon, e.* FROM (SELECT ${HORIZON} AS horizon) AS h
      LEFT JOIN LATERAL (
        SELECT txid AS "transactionId", seq, at, type, subject, agent, task_id AS "taskId",
            lease_id AS "leaseId", decision_id AS "decisionId", data
          FROM audit_events WHERE (txid, seq) > ($1, $2) AND txid < h.horizon
          ORDER BY txid, seq LIMIT $3
      ) AS e ON true
      ORDER BY e."transactionId", e.seq`,
}

const ADVANCE = {
  name: 'advance_webhook',
  text: `
    WITH before AS (
      SELECT name, failing_since FROM webhook_cursors WHERE name = $1 AND claim = $2 FOR UPDATE
    ), moved AS (
      UPDATE webhook_cursors w SET txid = $3, seq = $4, failures = 0, failing_since = NULL,
          note = NULL, claimed_until = now() + make_interval(secs => $5)
        FROM before WHERE w.name = before.name
        RETURNING w.name
    ), event AS (
      INSERT INTO audit_events (type, data)
        SELECT 'webhook.recovered', jsonb_build_object('webhook', name) FROM before
          WHERE failing_since IS NOT NULL
    )
    SELECT 1 FROM moved`,
}

const POSTPONE = {
  name: 'postpone_webhook',
  text: `
    WITH before AS (
      SELECT name, failing_since FROM webhook_cursors WHERE name = $1 AND claim = $2 FOR UPDATE
    ), moved AS (
      UPDATE webhook_cursors w SET failures = failures + 1, note = $3, claimed_until = NULL,
          due_at = now() + make_interval(secs => $4),
          failing_since = CASE WHEN $5 THEN coalesce(w.failing_since, now()) END
        FROM before WHERE w.name = before.name
    )
    INSERT INTO audit_events (type, data)
      SELECT 'webhook.failing', jsonb_build_object('webhook', name, 'note', $3::text) FROM before
        WHERE $5 AND failing_since IS NULL`,
}

const RELEASE = {
  name: 'release_webhook',
  text: 'UPDATE webhook_cursors SET claimed_until = NULL WHERE name = $1 AND claim = $2',
}

// A worker that has not heard of the newest set must not forget a webhook that it brought.
const KEEP_ONLY = {
  name: 'keep_webhooks',
  text: `DELETE FROM webhook_cursors WHERE name <> ALL ($1)
           AND $2 = (SELECT max(version) FROM policy_sets)`,
}

const FAILING = {
  name: 'failing_webhooks',
  text: 'SELECT count(*)::int AS count FROM webhook_cursors WHERE failing_since IS NOT NULL',
}

const position = { transactionId: z.string(), seq: z.string() }
const claimSchema = z
  .object({ name: z.string(), claim: z.int(), failures: z.int(), ...position })
  .optional()
const horizonSchema = z.object({ horizon: z.string() })
const eventSchema = z.object({
  ...position,
  at: z.date(),
  type: z.string(),
  subject: z.string().nullable(),
  agent: z.string().nullable(),
  taskId: z.string().nullable(),
  leaseId: z.string().nullable(),
  decisionId: z.string().nullable(),
  data: z.record(z.string(), z.json()),
})
const failingSchema = z.tuple([z.object({ count: z.int() })])

export interface PostgresWebhookOutbox extends WebhookOutbox {
  /** Forgets webhooks that are no longer in the policy set of this version, if it is the newest. */
  keepOnly(names: readonly string[], policySetVersion: number): Promise<void>
  /** How many webhooks are failing. */
  failing(): Promise<number>
}

/** The audit log is the outbox: what did not commit is not in it, and what did stays there. */
export function makeWebhookOutbox(database: Database): PostgresWebhookOutbox {
  return {
    async claim(name, visibilitySeconds) {
      await database.rows(ADD, [name])
      const [row] = await database.rows(CLAIM, [name, visibilitySeconds])
      const claimed = claimSchema.parse(row)
      if (!claimed) return null
      const { transactionId, seq, ...claim } = claimed
      return { ...claim, visibilitySeconds, position: { transactionId, seq } }
    },
    async next({ position: { transactionId, seq } }, limit) {
      const rows = await database.rows(NEXT, [transactionId, seq, limit])
      const [first] = rows
      const { horizon } = horizonSchema.parse(first)
      const events = hasEvent(first) ? rows.map(eventOf) : []
      const last = events.length === limit ? events.at(-1) : undefined
      return { events, end: last?.position ?? { transactionId: horizon, seq: '0' } }
    },
    async advance({ name, claim, visibilitySeconds }, { transactionId, seq }: OutboxPosition) {
      const values = [name, claim, transactionId, seq, visibilitySeconds]
      return (await database.rows(ADVANCE, values)).length > 0
    },
    async postpone({ name, claim }, { note, delaySeconds, failing }) {
      await database.rows(POSTPONE, [name, claim, note, delaySeconds, failing])
    },
    async release({ name, claim }) {
      await database.rows(RELEASE, [name, claim])
    },
    async keepOnly(names, policySetVersion) {
      await database.rows(KEEP_ONLY, [names, policySetVersion])
    },
    async failing() {
      const [{ count }] = failingSchema.parse(await database.rows(FAILING, []))
      return count
    },
  }
}

/** The one row of an empty batch has the horizon and no event. */
function hasEvent(row: unknown): boolean {
  return typeof row === 'object' && row !== null && 'seq' in row && row.seq !== null
}

function eventOf(row: unknown): WebhookEvent {
  const { data, transactionId, seq, ...event } = eventSchema.parse(row)
  const position = { transactionId, seq }
  return { id: `evt_${seq}`, ...event, facts: eventFacts(data), position }
}
