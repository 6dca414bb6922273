import { z } from 'zod'

import { instant, jsonObject } from './fields.ts'

/** What a caller needs in order to ask; never the policy text or the provider document. */
export const templateSchema = z.object({
  name: z.string(),
  version: z.int(),
  owner: z.string(),
  environment: z.string(),
  risk: z.enum(['low', 'medium', 'high']),
  provider: z.enum(['github', 'aws', 'vault']),
  reviewBy: instant,
  /** Per parameter: its type and bounds, or the claim that it is bound from. */
  parameters: z.record(z.string(), jsonObject),
  actions: z.array(z.object({ name: z.string(), maxTtlSeconds: z.int().optional() })),
  ttl: z.object({ defaultSeconds: z.int(), maxSeconds: z.int() }),
})
export type TemplateBody = z.output<typeof templateSchema>

export const templateListResponse = z.object({
  policySetVersion: z.int(),
  templates: z.array(templateSchema),
})
export type TemplateListResponse = z.output<typeof templateListResponse>
