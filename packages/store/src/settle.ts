import { makeBatches, MayflyError, type LeaseStore, type Settlement } from '@mayfly/core'
import { z } from 'zod'

import type { Database } from './database.ts'

// Each lease is fenced by the attempt that claimed it, and locked in one order everywhere. A credential
// that nothing can kill is looked at again when its own clock has run out, not before.
const SETTLE = {
  name: 'settle_leases',
  text: `
    WITH asked AS (
      SELECT * FROM unnest($1::text[], $2::int[], $3::text[], $4::text[], $5::text[],
          $6::timestamptz[], $7::timestamptz[], $8::text[], $9::timestamptz[])
        WITH ORDINALITY AS asked (lease_id, attempt, settled, proof, note, retry_at, sent,
          reason, dies_at, ord)
    ), held AS MATERIALIZED (
      SELECT asked.* FROM asked JOIN leases l ON l.id = lease_id
        WHERE state = 'revoking' AND revocation_attempts = attempt AND claimed_at IS NOT NULL
        ORDER BY l.id FOR UPDATE OF l
    ), lease AS (
      UPDATE leases l SET
          state = CASE settled WHEN 'propagating' THEN state ELSE settled END,
          revoked_at = CASE settled WHEN 'revoked' THEN now() END,
          revocation_proof = proof,
          revocation_note = coalesce(note, revocation_note),
          irrevocable_reason = coalesce(reason, irrevocable_reason),
          irrevocable_dies_at = coalesce(dies_at, irrevocable_dies_at),
          sent_at = coalesce(sent, sent_at),
          due_at = CASE
            WHEN coalesce(dies_at, irrevocable_dies_at) IS NULL OR settled <> 'revocation_failed'
              THEN retry_at
            ELSE greatest(retry_at, credential_expires_at + interval '61 seconds') END,
          claimed_at = NULL,
          sealed_handle = CASE WHEN settled <> 'revoked' THEN sealed_handle END,
          handle_key_id = CASE WHEN settled <> 'revoked' THEN handle_key_id END
        FROM held WHERE l.id = lease_id
        RETURNING l.*, ord, proof, note
    ), event AS (
      INSERT INTO audit_events (type, subject, agent, task_id, lease_id, decision_id, data)
        SELECT 'lease.' || state, subject, agent, task_id, id, decision_id,
          jsonb_strip_nulls(jsonb_build_object('attempt', revocation_attempts, 'proof', proof,
            'note', note, 'irrevocable', irrevocable_reason, 'retryAt', due_at)) FROM lease
    )
    SELECT ord::int FROM lease`,
}

interface Settled {
  readonly leaseId: string
  readonly attempt: number
  readonly settlement: Settlement
}

const settledSchema = z.array(z.object({ ord: z.int() }))

/** Leases that are settled in one statement at most. */
const BATCH_SIZE = 100

/**
 * Writes down what became of claimed leases: many at once when many are done at once. Nobody is told
 * before it is committed, and one that cannot be stored fails alone.
 */
export function makeSettle(database: Database): LeaseStore['settle'] {
  const settle = makeBatches<Settled, boolean>({
    limit: BATCH_SIZE,
    isolate: (error) => !(error instanceof MayflyError),
    async write(batch) {
      const rows = settledSchema.parse(await database.rows(SETTLE, columnsOf(batch)))
      const kept = new Set(rows.map(({ ord }) => ord))
      return batch.map((_, index) => kept.has(index + 1))
    },
  })
  return ({ lease, attempt }, settlement) => settle({ leaseId: lease.id, attempt, settlement })
}

/** `$1` to `$9` of the statement. */
function columnsOf(batch: readonly Settled[]): readonly (readonly unknown[])[] {
  const rows = batch.map(({ leaseId, attempt, settlement }) => {
    const { proof, note, retryAt, sentAt, irrevocable } = partsOf(settlement)
    const { reason = null, diesAt = null } = irrevocable ?? {}
    return [leaseId, attempt, settlement.to, proof, note, retryAt, sentAt, reason, diesAt]
  })
  return Array.from({ length: 9 }, (_, column) => rows.map((row) => row[column]))
}

function partsOf(settlement: Settlement) {
  const none = { proof: null, note: null, retryAt: null, sentAt: null, irrevocable: null }
  return { ...none, ...settlement }
}
