import type { ClaimedWebhook } from '@mayfly/core'
import type { WorkerPorts } from '@mayfly/worker'

import type { Through } from './steps.ts'

type WebhookPorts = Pick<WorkerPorts, 'webhooks' | 'sendWebhook'>

/** A delivery is settled when it is written down as received, put off, or given back. */
export function faultyWebhooks(ports: WebhookPorts, through: Through): WebhookPorts {
  const { webhooks, sendWebhook } = ports
  return {
    webhooks: {
      ...webhooks,
      claim: (name, seconds) =>
        through('webhooks.claim', name, () => webhooks.claim(name, seconds)),
      advance: (claimed, position) =>
        through('webhooks.settle', keyOf(claimed, position.seq), () =>
          webhooks.advance(claimed, position),
        ),
      postpone: (claimed, failure) =>
        through('webhooks.settle', keyOf(claimed, 'failed'), () =>
          webhooks.postpone(claimed, failure),
        ),
      release: (claimed) =>
        through('webhooks.settle', keyOf(claimed, 'released'), () => webhooks.release(claimed)),
    },
    sendWebhook: (webhook, event, signal) =>
      through('webhooks.send', event.id, () => sendWebhook(webhook, event, signal)),
  }
}

function keyOf({ name, claim }: ClaimedWebhook, what: string): string {
  return `${name} ${String(claim)} ${what}`
}
