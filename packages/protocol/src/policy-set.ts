import { z } from 'zod'

import { jsonObject } from './fields.ts'

/** Documents of the form `{ apiVersion, kind, metadata, spec }`. They replace the set as a whole. */
export const applyPolicySetRequest = z.strictObject({
  resources: z.array(jsonObject).min(1).max(5000),
  dryRun: z.boolean().exactOptional(),
})
export type ApplyPolicySetRequest = z.input<typeof applyPolicySetRequest>

export const policySetSchema = z.object({
  version: z.int(),
  /** Hex SHA-256 of the canonical resources. */
  digest: z.string(),
  resources: z.array(z.object({ kind: z.string(), name: z.string() })),
})
export type PolicySetBody = z.output<typeof policySetSchema>

export const applyPolicySetResponse = z.object({
  /** False for a dry run, and for a set equal to the one in force. */
  applied: z.boolean(),
  policySet: policySetSchema,
})
export type ApplyPolicySetResponse = z.output<typeof applyPolicySetResponse>

export const policySetResponse = z.object({ policySet: policySetSchema })
