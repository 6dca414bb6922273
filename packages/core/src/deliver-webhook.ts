import type { Clock } from './clock.ts'
import type { JsonObject } from './json.ts'
import type { Webhook } from './resources.ts'
import { retryAt, type RetryPolicy } from './retry.ts'

/** A place in the audit log that no event can still be committed before. Opaque outside the store. */
export interface OutboxPosition {
  readonly transactionId: string
  readonly seq: string
}

/** One committed audit event, as far as it may leave. */
export interface WebhookEvent {
  /** The same for every attempt and every webhook: receivers recognise repetitions by it. */
  readonly id: string
  readonly type: string
  readonly at: Date
  readonly subject: string | null
  readonly agent: string | null
  readonly taskId: string | null
  readonly leaseId: string | null
  readonly decisionId: string | null
  readonly facts: JsonObject
  readonly position: OutboxPosition
}

/** How far each webhook has got. One worker at a time delivers for a webhook. */
export interface WebhookOutbox {
  /**
   * Takes the webhook for `visibilitySeconds` if it is due and nobody has it. A new one begins with
   * the policy set that brought it.
   */
  claim(name: string, visibilitySeconds: number): Promise<ClaimedWebhook | null>
  /** What follows: committed, in an order that never changes, and complete up to `end`. */
  next(claimed: ClaimedWebhook, limit: number): Promise<OutboxBatch>
  /** Everything up to there was received. Goes on with the claim; false when it was lost. */
  advance(claimed: ClaimedWebhook, position: OutboxPosition): Promise<boolean>
  /** Ends the claim after a failed attempt. `failing` marks the webhook, and says so in the audit log. */
  postpone(claimed: ClaimedWebhook, failure: WebhookFailure): Promise<void>
  /** Ends the claim. */
  release(claimed: ClaimedWebhook): Promise<void>
}

export interface ClaimedWebhook {
  readonly name: string
  /** Fencing: whoever holds an older one has lost it. */
  readonly claim: number
  /** Attempts that failed since the last one that did not. */
  readonly failures: number
  readonly visibilitySeconds: number
  readonly position: OutboxPosition
}

export interface OutboxBatch {
  readonly events: readonly WebhookEvent[]
  readonly end: OutboxPosition
}

export interface WebhookFailure {
  readonly note: WebhookNote
  readonly delaySeconds: number
  readonly failing: boolean
}

/** Why an attempt failed, in words of ours: what a receiver answers is never repeated. */
export type WebhookNote =
  | 'url_refused'
  | 'address_refused'
  | 'secret_unusable'
  | 'timed_out'
  | 'unreachable'
  | 'redirected'
  | 'refused'
  | 'receiver_failed'

/** One signed request. Never throws: what went wrong is the answer. */
export type SendWebhook = (
  webhook: Webhook,
  event: WebhookEvent,
  signal: AbortSignal,
) => Promise<
  { readonly delivered: true } | { readonly delivered: false; readonly note: WebhookNote }
>

export interface DeliverWebhookDeps {
  readonly outbox: WebhookOutbox
  readonly send: SendWebhook
  readonly retry: RetryPolicy
  readonly clock: Clock
  /** After so many failures in a row a webhook is called failing. It is tried on, slowly. */
  readonly failuresUntilFailing: number
  readonly batchSize: number
  /** Longer than any attempt. */
  readonly visibilitySeconds: number
}

/** `more`: there was a full batch, so ask again at once. */
export type DeliverWebhook = (
  webhook: Webhook,
  signal: AbortSignal,
) => Promise<{ readonly more: boolean }>

const LATER = { more: false }

/**
 * Delivers what one webhook has not received yet: in order, each event again until it is received,
 * so at least once. An event that cannot be delivered holds up those behind it, and no other webhook.
 */
export function makeDeliverWebhook(deps: DeliverWebhookDeps): DeliverWebhook {
  const { outbox } = deps
  return async (webhook, signal) => {
    const claimed = await outbox.claim(webhook.name, deps.visibilitySeconds)
    if (!claimed) return LATER
    const { events, end } = await outbox.next(claimed, deps.batchSize)
    const wanted = events.filter(({ type }) => webhook.events.some((name) => covers(name, type)))
    let { failures } = claimed
    for (const event of wanted) {
      if (isStopped(signal)) break
      const sent = await deps.send(webhook, event, signal)
      // A delivery that our own stopping broke off is nobody's failure.
      if (!sent.delivered && isStopped(signal)) break
      if (!sent.delivered) {
        await outbox.postpone(claimed, failureOf(deps, failures + 1, sent.note))
        return LATER
      }
      failures = 0
      if (!(await outbox.advance(claimed, event.position))) return LATER
    }
    if (!isStopped(signal)) await outbox.advance(claimed, end)
    await outbox.release(claimed)
    return { more: events.length === deps.batchSize && !isStopped(signal) }
  }
}

/** A call, because the compiler takes a property for as it was before the last `await`. */
function isStopped(signal: AbortSignal): boolean {
  return signal.aborted
}

/** `lease.revoked`, `lease.*` or `*`. */
function covers(name: string, type: string): boolean {
  return (
    name === '*' || name === type || (name.endsWith('.*') && type.startsWith(name.slice(0, -1)))
  )
}

function failureOf(deps: DeliverWebhookDeps, attempt: number, note: WebhookNote): WebhookFailure {
  const now = deps.clock.now()
  const at = retryAt(deps.retry, { attempt, now, error: null })
  return {
    note,
    delaySeconds: (at.getTime() - now.getTime()) / 1000,
    failing: attempt >= deps.failuresUntilFailing,
  }
}
