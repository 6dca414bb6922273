import type { Secret } from '@mayfly/core'
import { RequestError } from '@octokit/request-error'
import { Octokit } from '@octokit/rest'

import { startDeadline } from '../deadline.ts'
import { makePlainFetch, type PlainFetch } from '../plain-fetch.ts'

/** What came of one request. Bodies are unparsed, and stay inside the provider. */
export type GithubReply = Answered | Unanswered

export interface Answered {
  readonly answered: true
  readonly status: number
  readonly headers: Readonly<Record<string, string | number | undefined>>
  readonly body: unknown
}

export interface Unanswered {
  readonly answered: false
  /** False when GitHub cannot have seen the request. */
  readonly sent: boolean
  readonly reason: 'no_connection' | 'connection_lost' | 'timeout' | 'aborted'
  /** The system's own code, such as `ECONNREFUSED`. */
  readonly systemCode: string
}

export interface GithubRequest {
  readonly route: string
  readonly apiUrl: URL
  readonly bearer: Secret
  readonly parameters: Readonly<Record<string, unknown>>
}

export type AskGithub = (request: GithubRequest, signal: AbortSignal) => Promise<GithubReply>

export interface GithubApiOptions {
  readonly timeoutMs: number
  readonly fetch?: PlainFetch
}

/** The version of the API that every GitHub and GitHub Enterprise Server of today still speaks. */
const API_VERSION = '2022-11-28'

const nothing = (): void => undefined
// Octokit would log whole requests, their authorization header among them.
const SILENT = { debug: nothing, info: nothing, warn: nothing, error: nothing }

/**
 * Asks GitHub and never throws what Octokit throws: its errors carry the request with its headers,
 * and the response with its body.
 */
export function makeAskGithub(options: GithubApiOptions): AskGithub {
  const { timeoutMs, fetch = makePlainFetch() } = options
  const octokit = new Octokit({ log: SILENT, request: { log: SILENT, fetch } })

  return async ({ route, apiUrl, bearer, parameters }, signal) => {
    if (isAborted(signal)) return unanswered('aborted', { sent: false })
    const deadline = startDeadline(signal, timeoutMs)
    try {
      const response: Response = await octokit.request(route, {
        ...parameters,
        baseUrl: apiUrl.href.replace(/\/+$/, ''),
        headers: {
          accept: 'application/vnd.github+json',
          authorization: `Bearer ${bearer.reveal()}`,
          'x-github-api-version': API_VERSION,
        },
        request: { signal: deadline.signal },
      })
      return answered(response)
    } catch (error) {
      if (error instanceof RequestError && error.response) return answered(error.response)
      if (!isAborted(deadline.signal)) return brokenConnection(error)
      return unanswered(isTimeout(deadline.signal) ? 'timeout' : 'aborted', { sent: true })
    } finally {
      deadline.stop()
    }
  }
}

/** The request's own id at GitHub, for their support: the one thing of an answer that may be logged. */
export function requestIdOf({ headers }: Answered): string {
  const id = String(headers['x-github-request-id'] ?? '')
  return /^[0-9A-Za-z:_-]{1,64}$/.test(id) ? id : 'none'
}

interface Response extends Pick<Answered, 'status' | 'headers'> {
  readonly data: unknown
}

function answered({ status, headers, data }: Response): Answered {
  return { answered: true, status, headers, body: data }
}

function unanswered(
  reason: Unanswered['reason'],
  { sent, systemCode = 'none' }: { readonly sent: boolean; readonly systemCode?: string },
): Unanswered {
  return { answered: false, sent, reason, systemCode }
}

/** Asked anew each time: a signal changes while a request is under way. */
function isAborted({ aborted }: AbortSignal): boolean {
  return aborted
}

function isTimeout({ reason }: AbortSignal): boolean {
  return isObject(reason) && reason['name'] === 'TimeoutError'
}

function brokenConnection(error: unknown): Unanswered {
  const chain = causesOf(error)
  const systemCode = chain.map(codeOf).find((code) => code !== undefined) ?? 'none'
  const neverConnected = chain.some(
    (cause) => isConnecting(cause) || NEVER_CONNECTED.test(codeOf(cause) ?? ''),
  )
  return neverConnected
    ? unanswered('no_connection', { sent: false, systemCode })
    : unanswered('connection_lost', { sent: true, systemCode })
}

/** Failures of name look-up, of connecting and of the TLS handshake: nothing had been sent yet. */
const NEVER_CONNECTED =
  /^(?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT|CERT_\w+|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_\w+|ERR_TLS_CERT_ALTNAME_INVALID)$/

function isConnecting({ syscall }: Cause): boolean {
  return syscall === 'connect' || syscall === 'getaddrinfo'
}

function codeOf({ code }: Cause): string | undefined {
  return typeof code === 'string' && /^[A-Z0-9_]{1,64}$/.test(code) ? code : undefined
}

type Cause = Readonly<Record<string, unknown>>

/** Told by shape: errors of `fetch` can come from another realm, where `instanceof` fails. */
function causesOf(error: unknown): readonly Cause[] {
  const chain: Cause[] = []
  let next = error
  while (isObject(next) && chain.length < 10) {
    chain.push(next)
    next = next['cause']
  }
  return chain
}

function isObject(value: unknown): value is Cause {
  return typeof value === 'object' && value !== null
}
