import { z } from 'zod'

import {
  instant,
  leaseId,
  reason,
  requestedActions,
  requestedParameters,
  taskId,
  templateName,
  ttlSeconds,
} from './fields.ts'
import { selectorQuery, type SelectorBody } from './selector.ts'

export const openLeaseRequest = z.strictObject({
  template: templateName,
  actions: requestedActions,
  parameters: requestedParameters,
  ttlSeconds: ttlSeconds.exactOptional(),
  reason: reason.exactOptional(),
})
export type OpenLeaseRequest = z.input<typeof openLeaseRequest>

export const leaseSchema = z.object({
  id: leaseId,
  taskId,
  agent: z.string(),
  template: z.string(),
  templateVersion: z.int(),
  provider: z.enum(['github', 'aws', 'vault']),
  actions: z.array(z.string()),
  parameters: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  targets: z.array(z.string()),
  state: z.enum([
    'pending',
    'active',
    'revoking',
    'revocation_failed',
    'failed',
    'revoked',
    'expired',
  ]),
  createdAt: instant,
  /** When the broker ends the lease. */
  expiresAt: instant,
  /** When the credential dies by itself, on the provider's clock. */
  credentialExpiresAt: instant,
  requestedTtlSeconds: z.int(),
  deliveredAt: instant.nullable(),
  endedAt: instant.nullable(),
  endReason: z.string().nullable(),
  revokedAt: instant.nullable(),
  revocationProof: z.string().nullable(),
  revocationAttempts: z.int(),
  revocationNote: z.string().nullable(),
  /** Set when nothing that the broker can send will kill the credential early. */
  irrevocable: z.object({ reason: z.string(), diesAt: instant }).nullable(),
  /** From the lease's end to proof of death. Only on revoked leases. */
  revocationLagMilliseconds: z.int().optional(),
})
export type LeaseBody = z.output<typeof leaseSchema>

export const openLeaseResponse = z.object({
  lease: leaseSchema,
  credential: z.record(z.string(), z.string()),
})

export const leaseResponse = z.object({ lease: leaseSchema })

/** Besides a selector's fields, which select as they do in a containment. */
export const leaseListQuery = z.strictObject({
  ...selectorQuery,
  live: z.stringbool({ truthy: ['true'], falsy: ['false'], case: 'sensitive' }).exactOptional(),
  /** One of a lease's `targets`, exactly. */
  target: z.string().min(1).max(500).exactOptional(),
  /** The same as `task`. */
  taskId: taskId.exactOptional(),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
})

/** The same filter, as a caller of the client writes it. */
export interface LeaseQuery extends SelectorBody {
  readonly live?: boolean
  readonly target?: string
  readonly taskId?: string
  readonly limit?: number
}

export const leaseListResponse = z.object({
  leases: z.array(leaseSchema),
  /** True when there are more leases than are listed. */
  truncated: z.boolean(),
})
export type LeaseList = z.output<typeof leaseListResponse>
