import type { ClaimedLease, LeaseStore, Report } from '@mayfly/core'
import { z } from 'zod'

import type { Database } from './database.ts'
import { sealPurpose } from './lease-handle.ts'
import { LEASE_COLUMNS, leaseOf } from './lease-row.ts'
import type { Sealer } from './sealer.ts'
import { makeSettle } from './settle.ts'

// The row lock makes racing callers queue; each then looks at `due_at` again, which the first one
// has moved. Nobody can kill a credential that the provider's clock has killed: a minute of grace
// covers the difference between its clock and ours.
function claiming(which: string): string {
  return `
    WITH held AS (
      SELECT id, state AS "from",
          state IN ('active', 'revocation_failed')
            AND credential_expires_at < now() - interval '1 minute' AS died,
          CASE WHEN state = 'pending' THEN 'mint_unconfirmed'
               WHEN delivered_at IS NULL AND expires_at > now() THEN 'undelivered'
               ELSE 'lease_ended' END AS reason
        FROM leases
        WHERE due_at <= now() AND state IN ('pending', 'active', 'revoking', 'revocation_failed')
          AND ${which}
    ), lease AS (
      UPDATE leases l SET
          state = CASE WHEN died THEN 'expired' ELSE 'revoking' END,
          end_reason = coalesce(end_reason, reason),
          ended_at = coalesce(ended_at, CASE reason WHEN 'lease_ended' THEN expires_at ELSE now() END),
          revocation_attempts = revocation_attempts + (NOT died)::int,
          due_at = CASE WHEN NOT died THEN now() + make_interval(secs => $2) END,
          claimed_at = CASE WHEN NOT died THEN now() END,
          sealed_handle = CASE WHEN NOT died THEN sealed_handle END,
          handle_key_id = CASE WHEN NOT died THEN handle_key_id END
        FROM held WHERE l.id = held.id
        RETURNING l.*, held."from"
    ), event AS (
      INSERT INTO audit_events (type, subject, agent, task_id, lease_id, decision_id, data)
        SELECT 'lease.' || state, subject, agent, task_id, id, decision_id, jsonb_build_object(
          'from', "from", 'endReason', end_reason, 'attempt', revocation_attempts) FROM lease
    )
    SELECT ${LEASE_COLUMNS}, "from", sealed_handle AS "sealedHandle",
      handle_key_id AS "handleKeyId", sent_at AS "sentAt", now()::timestamptz(3) AS now FROM lease`
}

const CLAIM = { name: 'claim_lease', text: claiming('id = $1 FOR UPDATE') }

// Whoever is being claimed at this moment is passed over: nobody waits, and nobody gets in turn what
// another has just taken.
const CLAIM_MANY = {
  name: 'claim_leases',
  text: claiming('NOT connection = ANY ($3) ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED'),
}

const DUE_AT = {
  name: 'lease_due_at',
  text: `SELECT due_at AS "dueAt" FROM leases
           WHERE id = $1 AND due_at > now() AND claimed_at IS NULL`,
}

const claimSchema = z.object({
  from: z.enum(['pending', 'active', 'revoking', 'revocation_failed']),
  state: z.string(),
  sealedHandle: z.instanceof(Uint8Array).nullable(),
  handleKeyId: z.string().nullable(),
  sentAt: z.date().nullable(),
  now: z.date(),
})

const idSchema = z.object({ id: z.string() })
const dueSchema = z.object({ dueAt: z.date() })

type RevocationClaims = Pick<LeaseStore, 'claim' | 'claimMany' | 'settle'>

/** Lets exactly one of many revokers act on a lease at a time, and fences off those that lost it. */
export function makeRevocationClaims(
  database: Database,
  sealer: Sealer,
  report: Report,
): RevocationClaims {
  function claimedLease(row: unknown): ClaimedLease {
    const lease = leaseOf(row)
    const { from, sealedHandle, handleKeyId, sentAt, now } = claimSchema.parse(row)
    const handle =
      sealedHandle === null || handleKeyId === null
        ? null
        : sealer.open(
            { keyId: handleKeyId, bytes: Uint8Array.from(sealedHandle) },
            sealPurpose(lease.id, lease.provider),
          )
    return { lease, handle, attempt: lease.revocationAttempts, from, sentAt, now }
  }

  /** A handle that does not open must not keep the rest of its batch alive; its claim runs out. */
  function claimedOrReported(row: unknown): readonly ClaimedLease[] {
    try {
      return [claimedLease(row)]
    } catch (error) {
      report('a claimed lease could not be read', error, { leaseId: idSchema.parse(row).id })
      return []
    }
  }

  return {
    async claimMany({ limit, visibilitySeconds, except }) {
      const rows = await database.rows(CLAIM_MANY, [limit, visibilitySeconds, except])
      const taken = rows.filter((row) => claimSchema.parse(row).state !== 'expired')
      return { claimed: taken.flatMap(claimedOrReported), expired: rows.length - taken.length }
    },
    async claim(leaseId, visibilitySeconds) {
      const [row] = await database.rows(CLAIM, [leaseId, visibilitySeconds])
      if (row) {
        if (claimSchema.parse(row).state === 'expired') return { outcome: 'nothing_to_do' }
        return { outcome: 'claimed', claimed: claimedLease(row) }
      }
      const [later] = await database.rows(DUE_AT, [leaseId])
      if (!later) return { outcome: 'nothing_to_do' }
      return { outcome: 'not_due', dueAt: dueSchema.parse(later).dueAt }
    },
    settle: makeSettle(database),
  }
}
