import { Agent, request } from 'undici'

/** As much of a `fetch` as Octokit uses. */
export type GithubFetch = (url: string, init: GithubExchange) => Promise<GithubResponse>

export interface GithubExchange {
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | undefined
  readonly signal: AbortSignal
}

export interface GithubResponse {
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
 * to another host. An answer that breaks off rejects, so that it is never taken for an empty one.
 */
export function makeGithubFetch(): GithubFetch {
  const dispatcher = new Agent({ maxResponseSize: MAX_ANSWER_BYTES })
  return async (url, { method, headers, body, signal }) => {
    const answer = await request(url, {
      method,
      headers,
      body: body ?? null,
      signal,
      dispatcher,
    })
    const bytes = await answer.body.arrayBuffer()
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
