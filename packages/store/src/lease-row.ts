import type { Lease } from '@mayfly/core'
import { z } from 'zod'

/** For raw statements: the row in the shape that Prisma gives it. */
export const LEASE_COLUMNS = `
  id, task_id AS "taskId", agent, owner, environment, subject, provider, connection, template,
  template_version AS "templateVersion", policy_set_version AS "policySetVersion",
  decision_id AS "decisionId", actions, parameters, scope, targets,
  requested_ttl_seconds AS "requestedTtlSeconds", state, created_at AS "createdAt",
  expires_at AS "expiresAt", credential_expires_at AS "credentialExpiresAt",
  delivered_at AS "deliveredAt", ended_at AS "endedAt", end_reason AS "endReason",
  revoked_at AS "revokedAt", revocation_proof AS "revocationProof",
  revocation_attempts AS "revocationAttempts", revocation_note AS "revocationNote",
  irrevocable_reason AS "irrevocableReason", irrevocable_dies_at AS "irrevocableDiesAt"`

const rowSchema = z.object({
  id: z.string(),
  taskId: z.string(),
  agent: z.string(),
  owner: z.string(),
  environment: z.string(),
  subject: z.string(),
  provider: z.enum(['github', 'aws', 'vault']),
  connection: z.string(),
  template: z.string(),
  templateVersion: z.int(),
  policySetVersion: z.int(),
  decisionId: z.string(),
  actions: z.array(z.string()),
  parameters: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  scope: z.json(),
  targets: z.array(z.string()),
  requestedTtlSeconds: z.int(),
  state: z.enum([
    'pending',
    'active',
    'revoking',
    'revocation_failed',
    'failed',
    'revoked',
    'expired',
  ]),
  createdAt: z.date(),
  expiresAt: z.date(),
  credentialExpiresAt: z.date(),
  deliveredAt: z.date().nullable(),
  endedAt: z.date().nullable(),
  endReason: z
    .enum([
      'lease_ended',
      'holder',
      'task_closed',
      'undelivered',
      'frozen',
      'mint_unconfirmed',
      'overbroad',
      'operator',
      'containment',
      'leaked',
      'role_revoked',
    ])
    .nullable(),
  revokedAt: z.date().nullable(),
  revocationProof: z.string().nullable(),
  revocationAttempts: z.int(),
  revocationNote: z.string().nullable(),
  irrevocableReason: z.string().nullable(),
  irrevocableDiesAt: z.date().nullable(),
})

export function leaseOf(row: unknown): Lease {
  const { irrevocableReason: reason, irrevocableDiesAt: diesAt, ...lease } = rowSchema.parse(row)
  return { ...lease, irrevocable: reason !== null && diesAt !== null ? { reason, diesAt } : null }
}
