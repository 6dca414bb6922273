import type { WebhookNote } from './deliver-webhook.ts'
import type { Webhook } from './resources.ts'

/** How far deliveries to one webhook have got. */
export interface WebhookState {
  readonly name: string
  /** False until a worker has looked at it for the first time. */
  readonly known: boolean
  /** Attempts that failed since the last one that did not. */
  readonly failures: number
  /** Since when it is called failing. */
  readonly failingSince: Date | null
  /** What came of the last attempt, if that failed. */
  readonly note: WebhookNote | null
  /** After a failure: when the next attempt is due. */
  readonly nextAttemptAt: Date | null
  /** Events that it asked for and has not received, among the next ones in the audit log. */
  readonly pending: number
  /** True when the audit log goes on beyond those that were looked at. */
  readonly pendingOrMore: boolean
  readonly oldestPendingAt: Date | null
}

export interface WebhookStates {
  /** One for each, in this order. */
  of(webhooks: readonly Webhook[]): Promise<readonly WebhookState[]>
}
