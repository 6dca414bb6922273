import { createHmac } from 'node:crypto'

import type { Secret } from '@mayfly/core'

/** Of the scheme: less is too easy to guess. */
const MIN_KEY_BYTES = 24

export interface Signable {
  readonly id: string
  /** Of the attempt, in Unix seconds. */
  readonly timestamp: number
  readonly body: string
}

/**
 * The headers of Standard Webhooks 1.0. The secret is `whsec_` and base64; two of them, with a space
 * between, both sign, so that a receiver can change from one to the other. Null for one that is unusable.
 */
export function signWebhook(
  secret: Secret,
  { id, timestamp, body }: Signable,
): Readonly<Record<string, string>> | null {
  const keys = secret.reveal().trim().split(/\s+/).map(keyOf)
  if (!keys.every((key) => key !== null)) return null
  const signed = `${id}.${String(timestamp)}.${body}`
  const signatures = keys.map(
    (key) => `v1,${createHmac('sha256', key).update(signed).digest('base64')}`,
  )
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signatures.join(' '),
  }
}

function keyOf(text: string): Buffer | null {
  const [, base64] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text) ?? []
  if (base64 === undefined) return null
  const key = Buffer.from(base64, 'base64')
  return key.length >= MIN_KEY_BYTES ? key : null
}
