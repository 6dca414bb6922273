import { Agent, errors, request } from 'undici'

/** As much of a `fetch` as Octokit and Vault's client use. */
export type PlainFetch = (url: string, init: PlainRequest) => Promise<PlainResponse>

export interface PlainRequest {
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | undefined
  readonly signal: AbortSignal
}

export interface PlainResponse {
  readonly status: number
  readonly url: string
  /** Names are in lower case. */
  readonly headers: ReadonlyMap<string, string>
  text(): Promise<string>
  arrayBuffer(): Promise<ArrayBuffer>
}

const MAX_ANSWER_BYTES = 1_048_576

/**
 * One request and its whole answer, by undici's plain interface: the `fetch` that stands on it costs
 * three times as much, and a mint is little else. It follows no redirects, which could take a token
 * to another host. An answer that breaks off rejects, so that it is never taken for an empty one; one
 * that is too long to be an answer comes with its status, and is empty.
 */
export function makePlainFetch(): PlainFetch {
  const dispatcher = new Agent({ maxResponseSize: MAX_ANSWER_BYTES })
  return async (url, { method, headers, body, signal }) => {
    const answer = await request(url, {
      method,
      headers,
      body: body ?? null,
      signal,
      dispatcher,
    })
    const bytes = await answer.body.arrayBuffer().catch(emptyIfTooLong)
    return {
      status: answer.statusCode,
      url,
      headers: new Map(
        Object.entries(answer.headers).map(([name, value]) => [name, String(value)]),
      ),
      text: () => Promise.resolve(new TextDecoder().decode(bytes)),
      arrayBuffer: () => Promise.resolve(bytes),
    }
  }
}

function emptyIfTooLong(error: unknown): ArrayBuffer {
  if (error instanceof errors.ResponseExceededMaxSizeError) return new ArrayBuffer(0)
  throw error
}
