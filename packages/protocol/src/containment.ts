import { z } from 'zod'

import { instant, leaseId, reason, taskId } from './fields.ts'
import { leaseSchema } from './lease.ts'
import { freezeId } from './freeze.ts'
import { selectorSchema, shownSelector } from './selector.ts'

const containmentId = z.string().regex(/^cnt_[0-9A-Za-z]{1,60}$/)

export const containRequest = z.strictObject({
  selector: selectorSchema,
  /** Needed unless this is a dry run. */
  reason: reason.exactOptional(),
  /** The incident's own id, wherever it is kept. Needed unless this is a dry run. */
  incident: z.string().min(1).max(200).exactOptional(),
  /** Says what would die, and does nothing. */
  dryRun: z.boolean().exactOptional(),
  /** Without it, the freeze holds until it is lifted. */
  freezeUntil: instant.exactOptional(),
})
export type ContainRequest = z.input<typeof containRequest>

const count = z.int()

/** What became of one lease. */
const containedState = z.enum([
  'queued',
  'propagating',
  'failed',
  'irrevocable',
  'revoked',
  'expired',
  'never_minted',
  'spared',
])
export type ContainedState = z.output<typeof containedState>

export const containmentSchema = z.object({
  id: containmentId,
  selector: shownSelector,
  reason: z.string(),
  incident: z.string(),
  startedBy: z.string(),
  startedAt: instant,
  freezeId,
  /** Whether its freeze refuses mints now. */
  frozen: z.boolean(),
  /**
   * `ending` and `revoking`: at work. `waiting`: what is left dies by itself at `lastDiesAt`.
   * `finished`: nothing of it may be live.
   */
  state: z.enum(['ending', 'revoking', 'waiting', 'finished', 'cancelled']),
  total: count,
  counts: z.object({
    queued: count,
    propagating: count,
    failed: count,
    irrevocable: count,
    revoked: count,
    expired: count,
    never_minted: count,
    spared: count,
  }),
  /** When the last of its credentials was dead. */
  finishedAt: instant.nullable(),
  /** When the last one dies by itself, if nothing better comes of it. */
  lastDiesAt: instant.nullable(),
  cancelledAt: instant.nullable(),
  cancelledBy: z.string().nullable(),
  cancelReason: z.string().nullable(),
})
export type ContainmentBody = z.output<typeof containmentSchema>

export const containedLeaseSchema = z.object({
  leaseId,
  taskId,
  agent: z.string(),
  owner: z.string(),
  template: z.string(),
  provider: z.enum(['github', 'aws', 'vault']),
  targets: z.array(z.string()),
  state: containedState,
  leaseState: leaseSchema.shape.state,
  revokedAt: instant.nullable(),
  /** What the provider answered that proved the credential dead. */
  proof: z.string().nullable(),
  /** What stood in the way of the last attempt. */
  note: z.string().nullable(),
  nextAttemptAt: instant.nullable(),
  /** When the credential dies by itself at the latest. */
  diesAt: instant,
})
export type ContainedLeaseBody = z.output<typeof containedLeaseSchema>

export const previewSchema = z.object({
  selector: shownSelector,
  /** Of all that match, whether they are listed or not; so are the three counts. */
  total: count,
  byProvider: z.record(z.string(), count),
  byAgent: z.record(z.string(), count),
  byState: z.record(z.string(), count),
  leases: z.array(leaseSchema),
  /** True when there are more leases than are listed. */
  truncated: z.boolean(),
  /** Of those listed, what nothing that can be sent will kill early. */
  irrevocable: z.array(z.object({ leaseId, until: instant, reason: z.string() })),
  /** Of ending those listed. */
  sideEffects: z.array(
    z.object({
      kind: z.string(),
      role: z.string().optional(),
      sessions: count.optional(),
      tasks: count.optional(),
    }),
  ),
})
export type PreviewBody = z.output<typeof previewSchema>

/** A dry run has a preview, everything else a containment. */
export const containResponse = z.object({
  containment: containmentSchema.optional(),
  preview: previewSchema.optional(),
})

export const containmentResponse = z.object({ containment: containmentSchema })

export const containmentQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(10_000).default(1000),
})

/** The leases that may still be live come first. */
export const containmentDetailResponse = z.object({
  containment: containmentSchema,
  leases: z.array(containedLeaseSchema),
})
export type ContainmentDetail = z.output<typeof containmentDetailResponse>

export const containmentListQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(1000).default(100),
})

export const containmentListResponse = z.object({ containments: z.array(containmentSchema) })
