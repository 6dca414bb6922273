import { makeBatches, type Activation } from '@mayfly/core'
import { z } from 'zod'

import type { Database } from './database.ts'
import { wasRolledBack } from './database-error.ts'
import { sealPurpose } from './lease-handle.ts'
import type { Sealer } from './sealer.ts'

// Rows are locked in the order of their ids, so that two batches cannot wait for each other, and
// after the check for freezes, which takes the lock that a freeze takes before it touches leases.
const ACTIVATE = {
  name: 'activate_leases',
  text: `
    WITH found AS MATERIALIZED (
      SELECT * FROM jsonb_to_recordset($1) AS found (id text, "credentialExpiresAt" timestamptz,
        sealed text, "keyId" text, fingerprints text[], reached text[], "deliverySeconds" float8)
    ), locked AS MATERIALIZED (
      SELECT l.id FROM leases l JOIN found USING (id)
        WHERE reached = '{}' OR freeze_on_reached(l.id, reached) IS NULL
        ORDER BY l.id FOR UPDATE OF l
    ), lease AS (
      UPDATE leases l SET state = 'active', credential_expires_at = "credentialExpiresAt",
          sealed_handle = decode(sealed, 'base64'), handle_key_id = "keyId",
          fingerprints = found.fingerprints, targets = l.targets || reached,
          due_at = least(now() + make_interval(secs => "deliverySeconds"), l.expires_at)
        FROM found JOIN locked USING (id)
        WHERE l.id = found.id AND l.state = 'pending' AND l.ended_at IS NULL
        RETURNING l.*
    ), event AS (
      INSERT INTO audit_events (type, subject, agent, task_id, lease_id, decision_id, data)
        SELECT 'lease.active', subject, agent, task_id, id, decision_id, jsonb_build_object(
          'fingerprints', fingerprints, 'credentialExpiresAt', credential_expires_at) FROM lease
    )
    SELECT id FROM lease`,
}

const LIMIT = 64

const idsSchema = z.array(z.object({ id: z.string() }))

/** False when the lease is not, or no longer, one that may be activated. */
export function makeActivateLeases(
  database: Database,
  sealer: Sealer,
): (activation: Activation) => Promise<boolean> {
  const toDocument = (activation: Activation): object => {
    const { lease, handle } = activation
    // Bound to this lease at this provider: sealed bytes open nowhere else (R117).
    const { bytes, keyId } = sealer.seal(handle, sealPurpose(lease.id, lease.provider))
    return {
      id: lease.id,
      credentialExpiresAt: activation.credentialExpiresAt,
      sealed: Buffer.from(bytes).toString('base64'),
      keyId,
      fingerprints: activation.fingerprints,
      reached: activation.reached ?? [],
      deliverySeconds: activation.deliveryDeadlineSeconds,
    }
  }

  return makeBatches<Activation, boolean>({
    limit: LIMIT,
    isolate: wasRolledBack,
    async write(activations) {
      const ids = activations.map(({ lease }) => lease.id)
      const isFirst = ids.map((id, index) => ids.indexOf(id) === index)
      const documents = activations.filter((_, index) => isFirst[index]).map(toDocument)
      const rows = await database.rows(ACTIVATE, [JSON.stringify(documents)])
      const active = new Set(idsSchema.parse(rows).map(({ id }) => id))
      return ids.map((id, index) => isFirst[index] === true && active.has(id))
    },
  })
}
