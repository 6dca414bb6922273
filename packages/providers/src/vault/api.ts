import vault from 'node-vault'
import { z } from 'zod'

import { startDeadline } from '../deadline.ts'
import type { PlainFetch } from '../plain-fetch.ts'
import type { VaultSettings } from './settings.ts'

export interface VaultRequest {
  readonly operation: 'read' | 'write' | 'list'
  /** Without `/v1/`. */
  readonly path: string
  readonly data?: Readonly<Record<string, unknown>>
  /** Absent only for a login. */
  readonly token?: string
}

export type VaultReply = Answered | Unanswered

export interface Answered {
  readonly answered: true
  readonly status: number
  readonly retryAfterSeconds: number | null
  /** Parsed JSON; `undefined` when it was none. */
  readonly body: unknown
}

export interface Unanswered {
  readonly answered: false
  /** False when Vault cannot have received the request. */
  readonly sent: boolean
  readonly reason: 'no_connection' | 'connection_lost' | 'timeout' | 'aborted'
  readonly systemCode: string
}

/** Sends one request. Resolves whatever happens: what it means is for the caller to say. */
export type VaultApi = (request: VaultRequest, signal: AbortSignal) => Promise<VaultReply>

export interface VaultApiOptions {
  readonly settings: Pick<VaultSettings, 'url' | 'namespace'>
  readonly timeoutMs: number
  readonly fetch: PlainFetch
}

/** What node-vault hands to its transport. */
const outgoingSchema = z.object({
  method: z.string(),
  uri: z.string(),
  headers: z.record(z.string(), z.string()),
  json: z.record(z.string(), z.unknown()).optional(),
  signal: z.instanceof(AbortSignal),
})

export function makeVaultApi({ settings, timeoutMs, fetch }: VaultApiOptions): VaultApi {
  async function transport(options: unknown) {
    const body = await exchange(fetch, outgoingSchema.parse(options))
    // A status that node-vault lets through: it would drop headers and put the answer into an error.
    return { statusCode: 200, body, request: { path: '' } }
  }
  const client = vault({
    endpoint: settings.url,
    noCustomHTTPVerbs: true,
    // Its own logger prints request bodies, an AppRole's secret id among them.
    debug: () => undefined,
    // Its own transport knows no AbortSignal and would take the token along on a redirect.
    'request-promise': { defaults: () => transport },
  })
  // Left unset, these come from VAULT_TOKEN, VAULT_NAMESPACE and VAULT_PREFIX of the process.
  Object.assign(client, { token: '', namespace: settings.namespace ?? '', pathPrefix: '' })

  return async ({ operation, path, data = {}, token }, signal) => {
    const deadline = startDeadline(signal, timeoutMs)
    const headers = token === undefined ? {} : { 'X-Vault-Token': token }
    const options = { headers, signal: deadline.signal }
    const sent = {
      read: () => client.read(path, options),
      list: () => client.list(path, options),
      write: () => client.write(path, data, options),
    }[operation]
    try {
      // The transport above made it.
      return (await sent()) as VaultReply
    } finally {
      deadline.stop()
    }
  }
}

async function exchange(
  send: PlainFetch,
  { method, uri, headers, json, signal }: z.output<typeof outgoingSchema>,
): Promise<VaultReply> {
  if (signal.aborted) return silence(signal, undefined)
  try {
    const response = await send(uri, {
      method,
      headers: { ...headers, 'content-type': 'application/json' },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
      signal,
    })
    const after = Number(response.headers.get('retry-after') ?? Number.NaN)
    return {
      answered: true,
      status: response.status,
      retryAfterSeconds: Number.isFinite(after) ? Math.max(1, Math.ceil(after)) : null,
      body: parse(await response.text()),
    }
  } catch (error) {
    return silence(signal, error)
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Failures that come before the first byte is sent. Any other leaves open what Vault has done. */
const NEVER_SENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
])

const failureSchema = z.object({ code: z.string() })

function silence(signal: AbortSignal, error: unknown): Unanswered {
  const failure = failureSchema.safeParse(error)
  const systemCode = failure.success ? failure.data.code : 'none'
  if (signal.aborted) {
    const reason = isTimeout(signal.reason) ? 'timeout' : 'aborted'
    return { answered: false, sent: error !== undefined, reason, systemCode }
  }
  const sent = !NEVER_SENT.has(systemCode)
  return {
    answered: false,
    sent,
    reason: sent ? 'connection_lost' : 'no_connection',
    systemCode,
  }
}

function isTimeout(reason: unknown): boolean {
  return reason instanceof DOMException && reason.name === 'TimeoutError'
}
