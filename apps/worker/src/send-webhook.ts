import { request as httpRequest, type RequestOptions } from 'node:http'
import { request as httpsRequest } from 'node:https'

import {
  Secret,
  type Clock,
  type SendWebhook,
  type WebhookEvent,
  type WebhookNote,
} from '@mayfly/core'
import type { NetworkGuard } from '@mayfly/runtime'

import { AddressRefusedError, guardedLookup, type ResolveHost } from './guarded-lookup.ts'
import { signWebhook } from './sign-webhook.ts'
import { withDeadline } from './with-deadline.ts'

export interface SendWebhookDeps {
  readonly guard: NetworkGuard
  readonly resolveHost: ResolveHost
  /** What an `env:` or `file:` reference stands for. Throws when there is nothing. */
  readonly resolveReference: (reference: string) => string
  readonly clock: Clock
  readonly timeoutMs: number
}

type Sent = Awaited<ReturnType<SendWebhook>>

/** Sends one event as one signed request, to a public address over TLS, and follows nothing (R116). */
export function makeSendWebhook(deps: SendWebhookDeps): SendWebhook {
  return async (webhook, event, signal) => {
    if (deps.guard.problemWith(webhook.url) !== null) return failed('url_refused')
    const body = JSON.stringify(payloadOf(event))
    const headers = signedHeaders(deps, webhook.secret, { id: event.id, body })
    if (!headers) return failed('secret_unusable')
    return withDeadline(deps.timeoutMs, signal, async (inner) => {
      const lookup = guardedLookup(deps.guard, deps.resolveHost)
      try {
        return answerOf(await post(new URL(webhook.url), body, { headers, signal: inner, lookup }))
      } catch (error) {
        if (error instanceof AddressRefusedError) return failed('address_refused')
        return failed(inner.aborted && !signal.aborted ? 'timed_out' : 'unreachable')
      }
    })
  }
}

function signedHeaders(
  deps: SendWebhookDeps,
  reference: string,
  { id, body }: { readonly id: string; readonly body: string },
): Readonly<Record<string, string>> | null {
  const timestamp = Math.floor(deps.clock.now().getTime() / 1000)
  try {
    return signWebhook(new Secret(deps.resolveReference(reference)), { id, timestamp, body })
  } catch {
    // The reference names nothing here. Which one it is stands in the policy set.
    return null
  }
}

/** As Standard Webhooks has it: what happened, when, and about what. */
function payloadOf({ id, type, at, facts, position: _, ...ids }: WebhookEvent): object {
  const known = Object.entries(ids).filter(([, value]) => value !== null)
  return { id, type, timestamp: at.toISOString(), data: { ...facts, ...Object.fromEntries(known) } }
}

interface PostOptions extends Pick<RequestOptions, 'signal' | 'lookup'> {
  readonly headers: Readonly<Record<string, string>>
}

/** Resolves with the status. Nothing of the answer's body is read, however long it is. */
function post(url: URL, body: string, options: PostOptions): Promise<number> {
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest
  return new Promise((resolve, reject) => {
    const request = send(
      url,
      {
        ...options,
        method: 'POST',
        // A connection of its own: one that is kept open was checked for another day.
        agent: false,
        maxHeaderSize: 16 * 1024,
        headers: {
          ...options.headers,
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
          'user-agent': 'mayfly-webhooks',
          connection: 'close',
        },
      },
      (response) => {
        resolve(response.statusCode ?? 0)
        response.destroy()
      },
    )
    request.once('error', reject)
    request.end(body)
  })
}

function answerOf(status: number): Sent {
  if (status >= 200 && status < 300) return { delivered: true }
  if (status >= 300 && status < 400) return failed('redirected')
  return failed(status >= 500 ? 'receiver_failed' : 'refused')
}

function failed(note: WebhookNote): Sent {
  return { delivered: false, note }
}
