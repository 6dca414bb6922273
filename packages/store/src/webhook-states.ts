import type { WebhookNote, WebhookState, WebhookStates } from '@mayfly/core'
import { z } from 'zod'

import type { Database } from './database.ts'

/** Of the audit log, per webhook: one that failed for weeks is not counted to the end. */
const LOOKED_AT = 10_000

const STATES = {
  name: 'webhook_states',
  text: `
    SELECT w.name, c.name IS NOT NULL AS known, coalesce(c.failures, 0) AS failures,
        c.failing_since AS "failingSince", c.note,
        CASE WHEN c.failures > 0 THEN c.due_at END AS "nextAttemptAt", p.*
      FROM ROWS FROM (jsonb_to_recordset($1::jsonb) AS (name text, events text[]))
        WITH ORDINALITY AS w (name, events, place)
      LEFT JOIN webhook_cursors c ON c.name = w.name
      CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE wanted)::int AS pending,
            count(*) = ${String(LOOKED_AT)} AS "pendingOrMore",
            min(at) FILTER (WHERE wanted) AS "oldestPendingAt"
          FROM (
            SELECT at, e.type = ANY (w.events) OR '*' = ANY (w.events)
                OR split_part(e.type, '.', 1) || '.*' = ANY (w.events) AS wanted
              FROM audit_events e WHERE (e.txid, e.seq) > (c.txid, c.seq)
              ORDER BY e.txid, e.seq LIMIT ${String(LOOKED_AT)}
          ) AS next
      ) p
      ORDER BY w.place`,
}

const rowsSchema = z.array(
  z.object({
    name: z.string(),
    known: z.boolean(),
    failures: z.int(),
    failingSince: z.date().nullable(),
    note: z.custom<WebhookNote>((value) => typeof value === 'string').nullable(),
    nextAttemptAt: z.date().nullable(),
    pending: z.int(),
    pendingOrMore: z.boolean(),
    oldestPendingAt: z.date().nullable(),
  }),
)

export function makeWebhookStates(database: Database): WebhookStates {
  return {
    async of(webhooks): Promise<readonly WebhookState[]> {
      const asked = webhooks.map(({ name, events }) => ({ name, events }))
      return rowsSchema.parse(await database.rows(STATES, [JSON.stringify(asked)]))
    },
  }
}
