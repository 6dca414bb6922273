import { z } from 'zod'

export const healthResponse = z.object({ status: z.literal('ok') })
export type HealthResponse = z.output<typeof healthResponse>

const check = z.enum(['ok', 'failing'])

export const readinessResponse = z.object({
  status: z.enum(['ready', 'not_ready']),
  checks: z.object({ database: check, policySet: check }),
})
export type ReadinessResponse = z.output<typeof readinessResponse>
