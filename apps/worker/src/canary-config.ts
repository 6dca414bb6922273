import { ConfigurationError, countVariable, parseEnv, type Environment } from '@mayfly/runtime'
import { z } from 'zod'

/** What the canary asks for: harmless, and allowed to its agent by policy like anything else. */
const errandsSchema = z
  .array(
    z.strictObject({
      template: z.string().min(1),
      actions: z.array(z.string().min(1)).min(1),
      parameters: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).default({}),
    }),
  )
  .min(1)
  .max(20)

export type CanaryErrand = Readonly<z.output<typeof errandsSchema>[number]>

const variables = z.object({
  CANARY_LEASES: z
    .string()
    .transform((text, context) => {
      try {
        return errandsSchema.parse(JSON.parse(text))
      } catch {
        context.addIssue('must be a JSON array of { template, actions, parameters }')
        return z.NEVER
      }
    })
    .optional(),
  CANARY_TOKEN_PATH: z.string().min(1).optional(),
  CANARY_BROKER_URL: z.url({ protocol: /^https?$/ }).optional(),
  PUBLIC_URL: z.url({ protocol: /^https?$/ }).optional(),
  CANARY_INTERVAL_SECONDS: countVariable.max(86_400).default(600),
  CANARY_DEADLINE_SECONDS: countVariable.max(3_600).default(120),
})

export interface CanaryConfig {
  readonly errands: readonly CanaryErrand[]
  /** Holds a workload token that opens one task; read anew for each flight. */
  readonly tokenPath: string
  readonly brokerUrl: URL
  readonly intervalSeconds: number
  /** A credential that is not proven dead after this long has failed the canary. */
  readonly deadlineSeconds: number
}

/** Null without `CANARY_LEASES`. */
export function loadCanaryConfig(env: Environment): CanaryConfig | null {
  const read = parseEnv(variables, env)
  if (read.CANARY_LEASES === undefined) return null
  const brokerUrl = read.CANARY_BROKER_URL ?? read.PUBLIC_URL
  if (read.CANARY_TOKEN_PATH === undefined || brokerUrl === undefined) {
    throw new ConfigurationError(
      'invalid configuration\n  CANARY_LEASES: needs CANARY_TOKEN_PATH, and CANARY_BROKER_URL or PUBLIC_URL',
    )
  }
  return {
    errands: read.CANARY_LEASES,
    tokenPath: read.CANARY_TOKEN_PATH,
    brokerUrl: new URL(brokerUrl),
    intervalSeconds: read.CANARY_INTERVAL_SECONDS,
    deadlineSeconds: read.CANARY_DEADLINE_SECONDS,
  }
}
