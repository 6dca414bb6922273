import { z } from 'zod'

import { instant, jsonObject } from './fields.ts'
import { leaseSchema } from './lease.ts'
import { taskSchema } from './task.ts'

/** AWS session tokens are the longest credentials there are: about two thousand characters. */
export const LEAK_MAX_LENGTH = 8192

/** A credential as found, or its SHA-256 in hexadecimal, base64 or base64url. Exactly one of them. */
export const reportLeakRequest = z.union([
  z.strictObject({ credential: z.string().regex(/\S/).max(LEAK_MAX_LENGTH) }),
  z.strictObject({
    sha256: z.string().regex(/^(?:[0-9A-Fa-f]{64}|[A-Za-z0-9+/]{43}=?|[A-Za-z0-9_-]{43}=?)$/),
  }),
])
export type ReportLeakRequest = z.input<typeof reportLeakRequest>

export const leakedLeaseSchema = z.object({
  /** `may_be_live` until the provider has proven otherwise. */
  outcome: z.enum(['dead_before', 'dead_now', 'may_be_live']),
  lease: leaseSchema,
  owner: z.string(),
  /** `<issuer>#<sub>` of the token that the task was opened with. */
  subject: z.string(),
  task: taskSchema.nullable(),
  decision: z.object({
    id: z.string(),
    decidedAt: instant,
    policies: z.array(z.string()),
    policyDigest: z.string(),
    policySetVersion: z.int(),
  }),
  /** The lease's part of the audit log, oldest first. */
  events: z.array(
    z.object({
      at: instant,
      type: z.string(),
      subject: z.string().nullable(),
      facts: jsonObject,
    }),
  ),
})
export type LeakedLeaseBody = z.output<typeof leakedLeaseSchema>

export const reportLeakResponse = z.object({
  /** False when no lease ever had this credential: it may be live all the same, and is not ours. */
  found: z.boolean(),
  leases: z.array(leakedLeaseSchema),
})
export type ReportLeakResponse = z.output<typeof reportLeakResponse>
