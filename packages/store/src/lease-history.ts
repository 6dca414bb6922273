import { eventFacts, type JsonObject, type LeaseHistory } from '@mayfly/core'
import { z } from 'zod'

import type { Database } from './database.ts'
import { LEASE_COLUMNS, leaseOf } from './lease-row.ts'

// Leases of one credential: two at most would be a provider that repeats itself.
const WITH_FINGERPRINT = {
  name: 'leases_with_fingerprint',
  text: `SELECT ${LEASE_COLUMNS} FROM leases WHERE fingerprints @> ARRAY[$1] ORDER BY id LIMIT 20`,
}

const DECISION = {
  name: 'decision_of_lease',
  text: `SELECT id, decided_at AS "decidedAt", policies, policy_digest AS "policyDigest",
             policy_set_version AS "policySetVersion" FROM decisions WHERE id = $1`,
}

// The newest ones: a provider that does not answer can fill a lease's story with attempts.
const EVENTS = {
  name: 'events_of_lease',
  text: `SELECT * FROM (SELECT seq, at, type, subject, data FROM audit_events WHERE lease_id = $1
             ORDER BY seq DESC LIMIT 200) AS newest ORDER BY seq`,
}

const decisionSchema = z.tuple([
  z.object({
    id: z.string(),
    decidedAt: z.date(),
    policies: z.array(z.string()),
    policyDigest: z.string(),
    policySetVersion: z.int(),
  }),
])

const eventsSchema = z.array(
  z
    .object({
      at: z.date(),
      type: z.string(),
      subject: z.string().nullable(),
      data: z.record(z.string(), z.json()),
    })
    .transform(({ data, ...event }) => ({ ...event, facts: eventFacts(data as JsonObject) })), // z.json() says it mutably
)

export function makeLeaseHistory(database: Database): LeaseHistory {
  return {
    async withFingerprint(fingerprint) {
      return (await database.rows(WITH_FINGERPRINT, [fingerprint])).map(leaseOf)
    },
    async of({ id, decisionId }) {
      const [decision] = decisionSchema.parse(await database.rows(DECISION, [decisionId]))
      return { decision, events: eventsSchema.parse(await database.rows(EVENTS, [id])) }
    },
  }
}
