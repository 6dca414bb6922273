import { z } from 'zod'

import { instant, reason } from './fields.ts'
import { selectorSchema, shownSelector } from './selector.ts'

export const freezeId = z.string().regex(/^frz_[0-9A-Za-z]{1,60}$/)

export const createFreezeRequest = z.strictObject({
  selector: selectorSchema,
  reason,
  /** Without it, the freeze holds until it is lifted. */
  expiresAt: instant.exactOptional(),
})
export type CreateFreezeRequest = z.input<typeof createFreezeRequest>

/** For what ends a freeze or a containment. */
export const reasonRequest = z.strictObject({ reason })

export const freezeSchema = z.object({
  id: freezeId,
  selector: shownSelector,
  reason: z.string(),
  createdBy: z.string(),
  createdAt: instant,
  expiresAt: instant.nullable(),
  liftedAt: instant.nullable(),
  liftedBy: z.string().nullable(),
  liftReason: z.string().nullable(),
  /** True while it refuses mints. */
  inForce: z.boolean(),
  /** The containment that it came with. */
  containmentId: z.string().nullable(),
})
export type FreezeBody = z.output<typeof freezeSchema>

export const freezeResponse = z.object({ freeze: freezeSchema })

export const freezeListQuery = z.strictObject({
  inForce: z.stringbool({ truthy: ['true'], falsy: ['false'], case: 'sensitive' }).exactOptional(),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
})

export const freezeListResponse = z.object({ freezes: z.array(freezeSchema) })
