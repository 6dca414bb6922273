import { assertTransition, MayflyError, type Activation, type LeaseStore } from '@mayfly/core'

import { makeActivateLeases } from './activate-leases.ts'
import type { Database } from './database.ts'
import { sealPurpose } from './lease-handle.ts'
import { leaseOf } from './lease-row.ts'
import type { Sealer } from './sealer.ts'

const FAIL = {
  name: 'fail_lease',
  text: `
    WITH lease AS (
      UPDATE leases SET state = 'failed', due_at = NULL, sealed_handle = NULL, handle_key_id = NULL
        WHERE id = $1 AND state = 'pending'
        RETURNING *
    )
    INSERT INTO audit_events (type, subject, agent, task_id, lease_id, decision_id, data)
      SELECT 'lease.failed', subject, agent, task_id, id, decision_id,
        jsonb_build_object('code', $2::text) FROM lease
      RETURNING 1`,
}

// A containment is told of what its freeze caught in flight: before its answer came, nobody knew that
// the lease was one of those meant.
const CAUGHT = `
    caught AS (
      INSERT INTO contained_leases (containment_id, lease_id, ended_at)
        SELECT c.id, lease.id, now() FROM lease
          JOIN containments c ON c.cancelled_at IS NULL
          JOIN freezes f ON f.id = c.freeze_id AND f.lifted_at IS NULL
            AND (f.expires_at IS NULL OR f.expires_at > now())
          WHERE selector_matches(c.selector, jsonb_populate_record(NULL::leases, to_jsonb(lease)))
        ON CONFLICT DO NOTHING
    )`

// A worker that claimed the lease without a handle is fenced off by the attempt: its settlement,
// which knows nothing of this handle, would put the lease to sleep.
const SURRENDER = {
  name: 'surrender_lease',
  text: `
    WITH lease AS (
      UPDATE leases SET credential_expires_at = $2, sealed_handle = $3, handle_key_id = $4,
          fingerprints = $5, targets = targets || $7::text[],
          irrevocable_reason = NULL, irrevocable_dies_at = NULL,
          state = CASE state WHEN 'pending' THEN 'active' ELSE state END,
          ended_at = coalesce(ended_at, now()), end_reason = coalesce(end_reason, $6),
          revocation_attempts = revocation_attempts + (state = 'revoking')::int,
          due_at = now(), claimed_at = NULL, sent_at = NULL
        WHERE id = $1 AND state IN ('pending', 'active', 'revoking', 'revocation_failed')
        RETURNING *
    ), ${CAUGHT}
    INSERT INTO audit_events (type, subject, agent, task_id, lease_id, decision_id, data)
      SELECT 'lease.surrendered', subject, agent, task_id, id, decision_id, jsonb_build_object(
        'fingerprints', fingerprints, 'reason', $6::text) FROM lease
      RETURNING 1`,
}

type MintOutcome = Pick<LeaseStore, 'activate' | 'fail' | 'surrender'>

/** What is written when the provider has answered, or has refused. */
export function makeMintOutcome(database: Database, sealer: Sealer): MintOutcome {
  const activate = makeActivateLeases(database, sealer)
  const found = (activation: Activation): readonly unknown[] => {
    const { lease, handle, credentialExpiresAt, fingerprints } = activation
    // Bound to this lease at this provider: sealed bytes open nowhere else (R117).
    const { bytes, keyId } = sealer.seal(handle, sealPurpose(lease.id, lease.provider))
    return [lease.id, credentialExpiresAt, bytes, keyId, fingerprints]
  }

  async function refuse(leaseId: string, to: 'active' | 'failed'): Promise<never> {
    const lease = await database.prisma.lease.findUnique({ where: { id: leaseId } })
    if (!lease) throw new MayflyError('lease_unknown', `no lease ${leaseId}`)
    const { state, endedAt } = leaseOf(lease)
    // A pending lease that was ended is as good as revoking: nothing may become of it.
    assertTransition(leaseId, endedAt && state === 'pending' ? 'revoking' : state, to)
    if (to === 'active' && state === 'pending' && !endedAt)
      throw new MayflyError('frozen', 'issuing is frozen for what this credential reaches')
    throw new MayflyError('lease_transition_illegal', `lease ${leaseId} changed meanwhile`)
  }

  return {
    async activate(activation) {
      const { lease, credentialExpiresAt, reached = [] } = activation
      if (!(await activate(activation))) return refuse(lease.id, 'active')
      return {
        ...lease,
        state: 'active',
        credentialExpiresAt,
        targets: [...lease.targets, ...reached],
      }
    },
    async fail(leaseId, code) {
      const [row] = await database.rows(FAIL, [leaseId, code])
      if (!row) await refuse(leaseId, 'failed')
    },
    async surrender(activation, reason) {
      const [row] = await database.rows(SURRENDER, [
        ...found(activation),
        reason,
        activation.reached ?? [],
      ])
      return row !== undefined
    },
  }
}
