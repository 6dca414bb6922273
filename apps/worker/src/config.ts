import {
  ConfigurationError,
  countVariable,
  databaseUrlVariable,
  logLevelVariable,
  parseEnv,
  portVariable,
  redisUrlVariable,
  sealingKeysVariable,
  type Environment,
  type SealingKeyText,
} from '@mayfly/runtime'
import { z } from 'zod'

const variables = z.object({
  DATABASE_URL: databaseUrlVariable,
  REDIS_URL: redisUrlVariable.optional(),
  SEALING_KEYS: sealingKeysVariable,
  WORKER_CONCURRENCY: countVariable.max(500).default(16),
  SWEEP_INTERVAL_MS: countVariable.min(50).max(60_000).default(2_000),
  PROVIDER_TIMEOUT_MS: countVariable.max(120_000).default(10_000),
  REVOCATION_VISIBILITY_SECONDS: countVariable.max(3_600).optional(),
  REVOCATION_RETRY_CAP_SECONDS: countVariable.max(600).default(60),
  REVOCATION_LAG_OBJECTIVE_SECONDS: countVariable.max(3_600).default(60),
  LOG_LEVEL: logLevelVariable.default('info'),
  HEALTH_HOST: z.string().min(1).default('127.0.0.1'),
  HEALTH_PORT: portVariable.default(8081),
})

export interface WorkerConfig {
  readonly databaseUrl: string
  /** Absent: the queue lives in PostgreSQL. */
  readonly redisUrl: string | undefined
  readonly sealingKeys: readonly SealingKeyText[]
  /** Revocations that the alarms run at once, and again that many for the sweeper. */
  readonly concurrency: number
  readonly sweepIntervalMs: number
  /** Bounds every single request to a provider. */
  readonly providerTimeoutMs: number
  /** Bounds one attempt at a revocation. */
  readonly attemptMs: number
  /** After this long another worker may try; longer than an attempt. */
  readonly visibilitySeconds: number
  /** The longest pause between two attempts. */
  readonly retryCapSeconds: number
  /** A lease that waits for longer to be taken makes the worker not ready. */
  readonly lagObjectiveSeconds: number
  readonly logLevel: string
  readonly health: { readonly host: string; readonly port: number }
  /** What `env:` references of connections are looked up in. */
  readonly env: Environment
}

/** Revoking takes a request or two, and as many go into asking whether the credential is dead. */
const REQUESTS_PER_ATTEMPT = 4

export function loadConfig(env: Environment): WorkerConfig {
  const read = parseEnv(variables, env)
  const attemptMs = read.PROVIDER_TIMEOUT_MS * REQUESTS_PER_ATTEMPT
  const attemptSeconds = Math.ceil(attemptMs / 1_000)
  const visibilitySeconds = read.REVOCATION_VISIBILITY_SECONDS ?? attemptSeconds + 5
  if (visibilitySeconds <= attemptSeconds)
    throw new ConfigurationError(
      'invalid configuration\n  REVOCATION_VISIBILITY_SECONDS: must be more than four times PROVIDER_TIMEOUT_MS',
    )
  return {
    databaseUrl: read.DATABASE_URL,
    redisUrl: read.REDIS_URL,
    sealingKeys: read.SEALING_KEYS,
    concurrency: read.WORKER_CONCURRENCY,
    sweepIntervalMs: read.SWEEP_INTERVAL_MS,
    providerTimeoutMs: read.PROVIDER_TIMEOUT_MS,
    attemptMs,
    visibilitySeconds,
    retryCapSeconds: read.REVOCATION_RETRY_CAP_SECONDS,
    lagObjectiveSeconds: read.REVOCATION_LAG_OBJECTIVE_SECONDS,
    logLevel: read.LOG_LEVEL,
    health: { host: read.HEALTH_HOST, port: read.HEALTH_PORT },
    env,
  }
}
