import type { SecurityEvent, SecurityEventStore } from '@mayfly/core'
import { z } from 'zod'

import type { Database } from './database.ts'

// Two deliveries of one token at once: the second waits for the first, and then finds it.
const RECEIVE = {
  name: 'receive_security_event',
  text: `
    WITH fresh AS (
      INSERT INTO security_events (issuer, jti, event, subject, occurred_at, keep_until)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (issuer, jti) DO NOTHING
        RETURNING *
    ), event AS (
      INSERT INTO audit_events (type, subject, data)
        SELECT 'security_event.received', issuer || '#' || jti, jsonb_strip_nulls(
          jsonb_build_object('transmitter', issuer, 'event', event, 'about', subject)) FROM fresh
    )
    SELECT 1`,
}

const OUTCOME = {
  name: 'outcome_of_security_event',
  text: 'SELECT outcome FROM security_events WHERE issuer = $1 AND jti = $2',
}

const FINISH = {
  name: 'finish_security_event',
  text: `
    WITH done AS (
      UPDATE security_events SET outcome = $3
        WHERE issuer = $1 AND jti = $2 AND outcome IS NULL RETURNING *
    )
    INSERT INTO audit_events (type, subject, data)
      SELECT 'security_event.finished', issuer || '#' || jti,
        jsonb_build_object('transmitter', issuer, 'event', event, 'outcome', outcome) FROM done`,
}

const NEWER = {
  name: 'newer_security_events',
  text: `SELECT 1 FROM security_events WHERE issuer = $1 AND event = $2 AND subject = $3
           AND occurred_at > $4 AND outcome IN ('applied', 'released', 'unmatched') LIMIT 1`,
}

const FREEZES = {
  name: 'freezes_of_security_events',
  text: `
    SELECT f.id FROM freezes f
      JOIN security_events e ON f.created_by = e.issuer || '#' || e.jti
      WHERE e.issuer = $1 AND e.event = $2 AND e.subject = $3
        AND f.lifted_at IS NULL AND (f.expires_at IS NULL OR f.expires_at > now())
      ORDER BY f.id`,
}

// By the audit log, since a used token is forgotten before the task that it opened is over.
const TASKS_OF_TOKEN = {
  name: 'tasks_of_token',
  text: `
    SELECT DISTINCT t.id FROM tasks t JOIN audit_events a ON a.task_id = t.id
      WHERE t.closed_at IS NULL AND t.issuer = ANY ($1)
        AND a.type IN ('task.opened', 'task.renewed') AND a.data ->> 'tokenId' = $2`,
}

// Whoever calls an alarm off must find which freeze it was.
const PRUNE = `
  DELETE FROM security_events e WHERE keep_until < now() - interval '1 hour'
    AND NOT EXISTS (SELECT FROM freezes f WHERE f.created_by = e.issuer || '#' || e.jti
      AND f.lifted_at IS NULL AND (f.expires_at IS NULL OR f.expires_at > now()))`

const outcomeSchema = z.tuple([z.object({ outcome: z.string().nullable() })])
const idsSchema = z.array(z.object({ id: z.string() }))

export function makeSecurityEventStore(database: Database): SecurityEventStore {
  return {
    async receive(event) {
      const { issuer, jti, occurrence, occurredAt, acceptableUntil } = event
      const values = [issuer.name, jti, occurrence.event, subjectText(event)]
      await database.rows(RECEIVE, [...values, occurredAt, acceptableUntil])
      const rows = await database.rows(OUTCOME, [issuer.name, jti])
      const [{ outcome }] = outcomeSchema.parse(rows)
      return outcome === null ? 'unfinished' : 'finished'
    },
    async isSuperseded(event) {
      const { issuer, occurrence, occurredAt } = event
      const values = [issuer.name, occurrence.event, subjectText(event), occurredAt]
      return (await database.rows(NEWER, values)).length > 0
    },
    async freezes(event) {
      const values = [event.issuer.name, event.occurrence.event, subjectText(event)]
      return idsSchema.parse(await database.rows(FREEZES, values)).map(({ id }) => id)
    },
    async finish({ issuer, jti }, outcome) {
      await database.rows(FINISH, [issuer.name, jti, outcome])
    },
    async tasksOfToken(issuers, tokenId) {
      const rows = await database.rows(TASKS_OF_TOKEN, [issuers, tokenId])
      return idsSchema.parse(rows).map(({ id }) => id)
    },
  }
}

export async function pruneSecurityEvents(database: Database): Promise<void> {
  await database.rows({ text: PRUNE }, [])
}

/** One spelling per subject. */
function subjectText({ subject }: SecurityEvent): string | null {
  if (!subject) return null
  const entries = Object.entries(subject).sort(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify(Object.fromEntries(entries))
}
