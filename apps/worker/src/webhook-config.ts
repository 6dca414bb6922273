import {
  countVariable,
  networksVariable,
  parseEnv,
  type Environment,
  type Network,
} from '@mayfly/runtime'
import { z } from 'zod'

const variables = z.object({
  WEBHOOK_ALLOWED_NETWORKS: networksVariable.default([]),
  WEBHOOK_TIMEOUT_MS: countVariable.max(60_000).default(10_000),
  WEBHOOK_INTERVAL_MS: countVariable.min(20).max(60_000).default(500),
  WEBHOOK_RETRY_BASE_SECONDS: z.coerce.number().positive().max(60).default(2),
})

export interface WebhookConfig {
  /** Besides public addresses. Loopback in it also allows plain http to it: for development. */
  readonly allowedNetworks: readonly Network[]
  /** Bounds one attempt. */
  readonly timeoutMs: number
  /** How often each webhook looks for events. */
  readonly intervalMs: number
  /** The first pause after a failure; the others double, up to ten minutes. */
  readonly retryBaseSeconds: number
}

export function loadWebhookConfig(env: Environment): WebhookConfig {
  const read = parseEnv(variables, env)
  return {
    allowedNetworks: read.WEBHOOK_ALLOWED_NETWORKS,
    timeoutMs: read.WEBHOOK_TIMEOUT_MS,
    intervalMs: read.WEBHOOK_INTERVAL_MS,
    retryBaseSeconds: read.WEBHOOK_RETRY_BASE_SECONDS,
  }
}
