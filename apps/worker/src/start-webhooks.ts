import {
  makeDeliverWebhook,
  type Clock,
  type Json,
  type Report,
  type SendWebhook,
  type Webhook,
} from '@mayfly/core'
import { parseResourceDocuments } from '@mayfly/policy'
import type { Store, StoredPolicySet } from '@mayfly/store'

import type { WorkerMetrics } from './metrics.ts'
import type { WebhookConfig } from './webhook-config.ts'
import { makeWebhookLoops } from './webhook-loops.ts'

export interface StartWebhooksOptions {
  readonly config: WebhookConfig
  readonly policySets: Pick<Store['policySets'], 'subscribe'>
  readonly outbox: Store['webhooks']
  readonly send: SendWebhook
  readonly metrics: Pick<WorkerMetrics, 'webhook'>
  readonly clock: Clock
  readonly report: Report
}

/** A claim is renewed after each attempt, so it has to be longer than one. */
const CLAIM_MARGIN_SECONDS = 20

/** Delivers to the webhooks of whichever policy set is in force. Returns how to stop. */
export async function startWebhooks(options: StartWebhooksOptions): Promise<() => Promise<void>> {
  const { config, outbox, send, clock, report } = options
  const { timeoutMs, intervalMs, retryBaseSeconds } = config
  const loops = makeWebhookLoops({
    deliver: makeDeliverWebhook({
      outbox,
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
  const subscription = await options.policySets.subscribe((stored) => {
    const webhooks = webhooksOf(stored)
    loops.keep(webhooks)
    const names = webhooks.map(({ name }) => name)
    outbox.keepOnly(names, stored.version).catch((error: unknown) => {
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
