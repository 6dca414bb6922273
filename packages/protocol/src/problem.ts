import { z } from 'zod'

import { jsonObject } from './fields.ts'
import { PROBLEMS } from './problems.ts'

export const explanationSchema = z.object({
  code: z.string(),
  message: z.string(),
  /** `@id` of the policy that refused, when one did. */
  rule: z.string().nullable(),
  /** The nearest request that would pass. */
  nearest: z
    .object({
      template: z.string(),
      actions: z.array(z.string()),
      parameters: jsonObject,
      ttlSeconds: z.int(),
    })
    .nullable(),
})

/** RFC 9457 problem details with the extension members that Mayfly uses. */
export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  /** Documented as a closed set, read as any text: a newer broker may know more codes. */
  code: z.string().meta({ enum: Object.keys(PROBLEMS) }),
  requestId: z.string(),
  detail: z.string().optional(),
  retryable: z.boolean(),
  explanation: explanationSchema.optional(),
  details: jsonObject.optional(),
})
export type Problem = z.output<typeof problemSchema>
