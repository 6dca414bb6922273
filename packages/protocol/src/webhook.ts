import { z } from 'zod'

import { instant } from './fields.ts'

export const webhookSchema = z.object({
  name: z.string(),
  /** Where it is sent, without the path and query, which may hold a secret. */
  origin: z.string(),
  events: z.array(z.string()),
  /**
   * `new`: no worker has looked at it yet. `delivering`: the last attempt succeeded. `retrying`: it
   * did not. `failing`: it has not for long.
   */
  state: z.enum(['new', 'delivering', 'retrying', 'failing']),
  /** Attempts that failed since the last one that did not. */
  failures: z.int(),
  failingSince: instant.nullable(),
  /** What came of the last attempt, if that failed: `timed_out`, `refused`, `address_refused` … */
  lastFailure: z.string().nullable(),
  nextAttemptAt: instant.nullable(),
  /** Events that it asked for and has not received. */
  pending: z.int(),
  /** True when there may be more than were counted. */
  pendingOrMore: z.boolean(),
  oldestPendingAt: instant.nullable(),
})
export type WebhookBody = z.output<typeof webhookSchema>

export const webhookListResponse = z.object({ webhooks: z.array(webhookSchema) })
