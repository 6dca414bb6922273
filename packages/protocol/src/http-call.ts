import type { z } from 'zod'

import { BrokerUnreachableError, ProblemError, UnexpectedAnswerError } from './client-errors.ts'
import type { CredentialText } from './credential-text.ts'
import { problemSchema } from './problem.ts'

export interface HttpCallOptions {
  readonly baseUrl: URL
  readonly fetch: typeof fetch
  readonly timeoutMilliseconds: number
  /** Sent with every request, such as `user-agent`. */
  readonly headers: Readonly<Record<string, string>>
}

export interface CallOptions {
  /** Ends the call early; the client's own timeout holds as well. */
  readonly signal?: AbortSignal
  /** Sent as `X-Request-ID`; the broker echoes it and logs it. */
  readonly requestId?: string
}

export interface HttpCall<Schema extends z.ZodType> {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly path: string
  readonly answer: Schema
  /** Statuses whose body is the answer. Everything else must be a problem. */
  readonly statuses?: readonly number[]
  readonly token?: CredentialText
  readonly idempotencyKey?: string | undefined
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>
  readonly body?: unknown
  readonly options: CallOptions
}

export type Send = <Schema extends z.ZodType>(call: HttpCall<Schema>) => Promise<z.output<Schema>>

export type OpenStream = (
  call: Pick<HttpCall<z.ZodType>, 'path' | 'token' | 'options'>,
) => Promise<Response>

/** Opens a stream of server-sent events. The timeout holds until it begins. */
export function makeOpenStream(options: HttpCallOptions): OpenStream {
  return async ({ path, token, options: callOptions }) => {
    const begun = new AbortController()
    const timer = setTimeout(() => {
      begun.abort()
    }, options.timeoutMilliseconds)
    const { signal } = callOptions
    try {
      const bare = { path, options: callOptions, ...(token && { token }) }
      const response = await options.fetch(urlOf(options.baseUrl, bare), {
        headers: { ...options.headers, ...headersOf(bare), accept: 'text/event-stream' },
        redirect: 'error',
        signal: signal ? AbortSignal.any([begun.signal, signal]) : begun.signal,
      })
      if (response.status !== 200) throw refusal(response, await response.text())
      return response
    } catch (cause) {
      if (isRefusal(cause)) throw cause
      if (signal?.aborted === true) throw cause
      const timedOut = begun.signal.aborted
      throw new BrokerUnreachableError(
        `the broker at ${options.baseUrl.origin} cannot be followed`,
        {
          timedOut,
          cause,
        },
      )
    } finally {
      clearTimeout(timer)
    }
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof ProblemError || error instanceof UnexpectedAnswerError
}

/** One request to the broker: sent, answered within the timeout, parsed, or failed with a typed error. */
export function makeSend(options: HttpCallOptions): Send {
  return async (call) => {
    const timeout = AbortSignal.timeout(options.timeoutMilliseconds)
    const signal = call.options.signal ? AbortSignal.any([timeout, call.options.signal]) : timeout
    const { response, text } = await exchange()

    const statuses = call.statuses ?? [200, 201]
    if (!statuses.includes(response.status)) throw refusal(response, text)
    const parsed = call.answer.safeParse(json(response, text))
    if (!parsed.success) {
      const places = parsed.error.issues.map((issue) => issue.path.join('.')).join(', ')
      throw new UnexpectedAnswerError(response.status, `the answer does not parse at: ${places}`)
    }
    return parsed.data

    async function exchange(): Promise<{ response: Response; text: string }> {
      try {
        const response = await options.fetch(urlOf(options.baseUrl, call), {
          method: call.method,
          headers: { ...options.headers, ...headersOf(call) },
          // A redirect would carry the bearer token to wherever it points.
          redirect: 'error',
          signal,
          ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
        })
        return { response, text: await response.text() }
      } catch (cause) {
        if (call.options.signal?.aborted === true) throw cause
        const timedOut = timeout.aborted
        const what = timedOut ? 'did not answer in time' : 'cannot be reached'
        throw new BrokerUnreachableError(`the broker at ${options.baseUrl.origin} ${what}`, {
          timedOut,
          cause,
        })
      }
    }
  }
}

function urlOf(base: URL, call: Pick<HttpCall<z.ZodType>, 'path' | 'query'>): URL {
  const prefix = base.pathname.endsWith('/') ? base.pathname.slice(0, -1) : base.pathname
  const url = new URL(prefix + call.path, base)
  for (const [key, value] of Object.entries(call.query ?? {})) {
    if (value !== undefined) url.searchParams.set(key, String(value))
  }
  return url
}

function headersOf(
  call: Omit<HttpCall<z.ZodType>, 'method' | 'path' | 'answer'>,
): Record<string, string> {
  return {
    accept: 'application/json, application/problem+json',
    ...(call.token && { authorization: `Bearer ${call.token.reveal()}` }),
    ...(call.body !== undefined && { 'content-type': 'application/json' }),
    ...(call.idempotencyKey !== undefined && { 'idempotency-key': call.idempotencyKey }),
    ...(call.options.requestId !== undefined && { 'x-request-id': call.options.requestId }),
  }
}

function refusal(response: Response, text: string): ProblemError | UnexpectedAnswerError {
  const problem = problemSchema.safeParse(json(response, text))
  if (problem.success) return new ProblemError(problem.data, retryAfter(response))
  const status = String(response.status)
  return new UnexpectedAnswerError(response.status, `status ${status} without a problem document`)
}

function json(response: Response, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's own message quotes the text, which may hold a credential.
    throw new UnexpectedAnswerError(response.status, 'the answer is not JSON')
  }
}

function retryAfter(response: Response): number | undefined {
  const value = response.headers.get('retry-after')
  return value !== null && /^\d{1,9}$/.test(value) ? Number(value) : undefined
}
