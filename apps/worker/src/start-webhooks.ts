import { readFileSync } from 'node:fs'

import {
  makeDeliverWebhook,
  type Clock,
  type Json,
  type Report,
  type SendWebhook,
  type Webhook,
} from '@mayfly/core'
import { makeResolveReference, parseResourceDocuments } from '@mayfly/policy'
import { makeNetworkGuard, type Environment } from '@mayfly/runtime'
import type { Store, StoredPolicySet } from '@mayfly/store'

import { resolveBySystem } from './guarded-lookup.ts'
import type { WorkerMetrics } from './metrics.ts'
import { makeSendWebhook } from './send-webhook.ts'
import { loadWebhookConfig } from './webhook-config.ts'
import { makeWebhookLoops } from './webhook-loops.ts'

export interface StartWebhooksOptions {
  /** Configures them, and is what `env:` references of their secrets are looked up in. */
  readonly env: Environment
  readonly store: Pick<Store, 'policySets' | 'webhooks'>
  readonly metrics: Pick<WorkerMetrics, 'webhook'>
  readonly clock: Clock
  readonly report: Report
}

/** A claim is renewed after each attempt, so it has to be longer than one. */
const CLAIM_MARGIN_SECONDS = 20

/** Delivers to the webhooks of whichever policy set is in force. Returns how to stop. */
export async function startWebhooks(options: StartWebhooksOptions): Promise<() => Promise<void>> {
  const { env, store, clock, report } = options
  const { timeoutMs, intervalMs, allowedNetworks, retryBaseSeconds } = loadWebhookConfig(env)
  const send = makeSendWebhook({
    guard: makeNetworkGuard(allowedNetworks),
    resolveHost: resolveBySystem,
    resolveReference: makeResolveReference({
      env,
      readFile: (path) => readFileSync(path, 'utf8'),
    }),
    clock,
    timeoutMs,
  })
  const loops = makeWebhookLoops({
    deliver: makeDeliverWebhook({
      outbox: store.webhooks,
      send: counted(send, options.metrics),
      retry: { baseSeconds: retryBaseSeconds, capSeconds: 600, random: Math.random },
      clock,
      failuresUntilFailing: 8,
      batchSize: 100,
      visibilitySeconds: Math.ceil(timeoutMs / 1000) + CLAIM_MARGIN_SECONDS,
    }),
    intervalMs,
    report,
  })
  const subscription = await store.policySets.subscribe((stored) => {
    const webhooks = webhooksOf(stored)
    loops.keep(webhooks)
    const names = webhooks.map(({ name }) => name)
    store.webhooks.keepOnly(names, stored.version).catch((error: unknown) => {
      report('webhooks that are gone could not be forgotten', error)
    })
  })
  return async () => {
    await subscription.stop()
    await loops.stop()
  }
}

/** Only these documents are read, so that nothing wrong with the others keeps them from being sent. */
function webhooksOf({ documents }: Pick<StoredPolicySet, 'documents'>): readonly Webhook[] {
  return parseResourceDocuments(documents.filter(isWebhook)).flatMap((resource) =>
    resource.kind === 'Webhook' ? [resource] : [],
  )
}

function isWebhook(document: Json): boolean {
  return (
    typeof document === 'object' && document !== null && Reflect.get(document, 'kind') === 'Webhook'
  )
}

function counted(send: SendWebhook, metrics: Pick<WorkerMetrics, 'webhook'>): SendWebhook {
  return async (webhook, event, signal) => {
    const sent = await send(webhook, event, signal)
    metrics.webhook({ webhook: webhook.name, outcome: sent.delivered ? 'delivered' : sent.note })
    return sent
  }
}
