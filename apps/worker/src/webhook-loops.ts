import { setTimeout as sleep } from 'node:timers/promises'

import type { DeliverWebhook, Report, Webhook } from '@mayfly/core'

export interface WebhookLoopsOptions {
  readonly deliver: DeliverWebhook
  readonly intervalMs: number
  readonly report: Report
}

export interface WebhookLoops {
  /** From now on these, and no others. */
  keep(webhooks: readonly Webhook[]): void
  stop(): Promise<void>
}

interface Loop {
  readonly webhook: Webhook
  readonly cut: AbortController
  readonly ended: Promise<void>
}

/** One loop per webhook, so that a receiver that takes its time takes nobody else's. */
export function makeWebhookLoops(options: WebhookLoopsOptions): WebhookLoops {
  const loops = new Map<string, Loop>()
  const ending = new Set<Promise<void>>()

  function end(name: string, { cut, ended }: Loop): void {
    loops.delete(name)
    cut.abort()
    ending.add(ended)
    void ended.finally(() => ending.delete(ended))
  }

  return {
    keep(webhooks) {
      const wanted = new Map(webhooks.map((webhook) => [webhook.name, webhook]))
      for (const [name, loop] of [...loops]) {
        if (!isSame(loop.webhook, wanted.get(name))) end(name, loop)
      }
      for (const [name, webhook] of wanted) {
        if (!loops.has(name)) loops.set(name, startLoop(webhook, options))
      }
    },
    async stop() {
      for (const [name, loop] of [...loops]) end(name, loop)
      await Promise.all(ending)
    },
  }
}

function startLoop(webhook: Webhook, { deliver, intervalMs, report }: WebhookLoopsOptions): Loop {
  const cut = new AbortController()
  const { signal } = cut
  async function run(): Promise<void> {
    while (!signal.aborted) {
      const { more } = await deliver(webhook, signal).catch((error: unknown) => {
        if (!signal.aborted)
          report('a webhook could not be served', error, { webhook: webhook.name })
        return { more: false }
      })
      if (!more) await sleep(intervalMs, undefined, { signal }).catch(() => undefined)
    }
  }
  return { webhook, cut, ended: run() }
}

function isSame(one: Webhook, other: Webhook | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}
