import { readFileSync } from 'node:fs'

import type { Clock, SendWebhook } from '@mayfly/core'
import { makeResolveReference } from '@mayfly/policy'
import { makeNetworkGuard, type Environment } from '@mayfly/runtime'

import { resolveBySystem } from './guarded-lookup.ts'
import { makeSendWebhook } from './send-webhook.ts'
import type { WebhookConfig } from './webhook-config.ts'

export interface WebhookSenderOptions {
  readonly config: Pick<WebhookConfig, 'allowedNetworks' | 'timeoutMs'>
  /** What `env:` references of the webhooks' secrets are looked up in. */
  readonly env: Environment
  readonly clock: Clock
}

/** Sends from this machine: its own names, files and variables. */
export function makeWebhookSender({ config, env, clock }: WebhookSenderOptions): SendWebhook {
  return makeSendWebhook({
    guard: makeNetworkGuard(config.allowedNetworks),
    resolveHost: resolveBySystem,
    resolveReference: makeResolveReference({ env, readFile: (path) => readFileSync(path, 'utf8') }),
    clock,
    timeoutMs: config.timeoutMs,
  })
}
