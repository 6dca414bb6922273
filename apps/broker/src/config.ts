import {
  ConfigurationError,
  countVariable,
  databaseUrlVariable,
  flagVariable,
  logLevelVariable,
  parseEnv,
  portVariable,
  redisUrlVariable,
  sealingKeysVariable,
  type Environment,
  type SealingKeyText,
} from '@mayfly/runtime'
import { z } from 'zod'

import { timesOf, type BrokerTimes } from './times.ts'

const variables = z.object({
  HOST: z.string().min(1).default('127.0.0.1'),
  PORT: portVariable.default(8080),
  PUBLIC_URL: z.url({ protocol: /^https?$/ }),
  DATABASE_URL: databaseUrlVariable,
  DATABASE_POOL_SIZE: countVariable.max(500).default(20),
  REDIS_URL: redisUrlVariable.optional(),
  SEALING_KEYS: sealingKeysVariable,
  BOOTSTRAP_POLICIES: z.string().min(1).optional(),
  TLS_CERT_FILE: z.string().min(1).optional(),
  TLS_KEY_FILE: z.string().min(1).optional(),
  INSECURE_HTTP_BEHIND_PROXY: flagVariable.default(false),
  TRUST_PROXY: z
    .string()
    .regex(/^(?:false|[1-9]|[0-9a-f.:/]+(?:, *[0-9a-f.:/]+)*)$/i, 'must be hops or addresses')
    .default('false'),
  RATE_LIMIT_PER_MINUTE: countVariable.default(6_000),
  RATE_LIMIT_PER_MINUTE_PER_CALLER: countVariable.default(3_000),
  LEASE_TTL_CEILING_SECONDS: countVariable.max(43_200).default(3_600),
  TASK_TTL_DEFAULT_SECONDS: countVariable.default(3_600),
  TASK_TTL_CEILING_SECONDS: countVariable.default(28_800),
  PROVIDER_TIMEOUT_MS: countVariable.max(60_000).default(10_000),
  MINT_DEADLINE_SECONDS: countVariable.max(600).optional(),
  DELIVERY_DEADLINE_SECONDS: countVariable.max(600).default(30),
  REVOCATION_VISIBILITY_SECONDS: countVariable.max(3_600).optional(),
  REVOCATION_RETRY_CAP_SECONDS: countVariable.max(600).default(60),
  LOG_LEVEL: logLevelVariable.default('info'),
})

export interface BrokerConfig {
  readonly host: string
  readonly port: number
  /** Where clients reach the broker; also its id, as issuer and audience of task tokens. */
  readonly publicUrl: string
  readonly databaseUrl: string
  readonly databasePoolSize: number
  /** Absent: the queue lives in PostgreSQL. */
  readonly redisUrl: string | undefined
  readonly sealingKeys: readonly SealingKeyText[]
  /** A folder of resources for a database that has none yet. */
  readonly bootstrapPolicies: string | undefined
  readonly tls: { readonly certFile: string; readonly keyFile: string } | null
  readonly trustProxy: false | number | readonly string[]
  readonly requestsPerMinute: number
  readonly requestsPerMinutePerCaller: number
  readonly leaseTtlCeilingSeconds: number
  readonly taskTtlDefaultSeconds: number
  readonly taskTtlCeilingSeconds: number
  readonly providerTimeoutMs: number
  readonly times: BrokerTimes
  readonly logLevel: string
  /** What `env:` references of policy resources are looked up in. */
  readonly env: Environment
}

export function loadConfig(env: Environment): BrokerConfig {
  const read = parseEnv(variables, env)
  const tls = tlsOf(read.TLS_CERT_FILE, read.TLS_KEY_FILE)
  if (!tls && !isLoopback(read.HOST) && !read.INSECURE_HTTP_BEHIND_PROXY) {
    throw new ConfigurationError(
      'invalid configuration\n  HOST: bearer tokens need TLS beyond loopback: give TLS_CERT_FILE and TLS_KEY_FILE, ' +
        'or INSECURE_HTTP_BEHIND_PROXY=true where a proxy on a private network ends TLS',
    )
  }
  return {
    host: read.HOST,
    port: read.PORT,
    publicUrl: read.PUBLIC_URL,
    databaseUrl: read.DATABASE_URL,
    databasePoolSize: read.DATABASE_POOL_SIZE,
    redisUrl: read.REDIS_URL,
    sealingKeys: read.SEALING_KEYS,
    bootstrapPolicies: read.BOOTSTRAP_POLICIES,
    tls,
    trustProxy: trustProxyOf(read.TRUST_PROXY),
    requestsPerMinute: read.RATE_LIMIT_PER_MINUTE,
    requestsPerMinutePerCaller: read.RATE_LIMIT_PER_MINUTE_PER_CALLER,
    leaseTtlCeilingSeconds: read.LEASE_TTL_CEILING_SECONDS,
    taskTtlDefaultSeconds: read.TASK_TTL_DEFAULT_SECONDS,
    taskTtlCeilingSeconds: read.TASK_TTL_CEILING_SECONDS,
    providerTimeoutMs: read.PROVIDER_TIMEOUT_MS,
    times: timesOf(read),
    logLevel: read.LOG_LEVEL,
    env,
  }
}

function tlsOf(certFile: string | undefined, keyFile: string | undefined): BrokerConfig['tls'] {
  if (certFile === undefined && keyFile === undefined) return null
  if (certFile !== undefined && keyFile !== undefined) return { certFile, keyFile }
  throw new ConfigurationError(
    'invalid configuration\n  TLS_CERT_FILE and TLS_KEY_FILE: one is of no use without the other',
  )
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host)
}

function trustProxyOf(text: string): BrokerConfig['trustProxy'] {
  if (text === 'false') return false
  return /^[1-9]$/.test(text) ? Number(text) : text.split(',').map((address) => address.trim())
}
