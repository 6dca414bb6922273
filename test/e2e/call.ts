/** One request to the broker and what came back, as text: for looking for what should not be there. */
export interface Exchange {
  readonly route: string
  readonly sent: string
  readonly answer: Answer
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The body when it is a JSON object, otherwise an empty one. */
  readonly json: Readonly<Record<string, unknown>>
}

interface CallOptions {
  readonly token?: string
  /** Sent as JSON, unless it is text already. */
  readonly body?: object | string
  readonly headers?: Readonly<Record<string, string>>
  readonly url?: URL
}

export type Call = (method: string, path: string, options?: CallOptions) => Promise<Answer>

/** Plain HTTP, with nothing between the test and the wire. */
export function makeCall(baseUrl: URL, exchanges: Exchange[]): Call {
  return async (method, path, { token, body, headers = {}, url = baseUrl } = {}) => {
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
    const response = await fetch(new URL(path, url), {
      method,
      headers: {
        connection: 'close',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(text === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(text === undefined ? {} : { body: text }),
    })
    const answer = await answerOf(response)
    exchanges.push({ route: `${method} ${path}`, sent: text ?? '', answer })
    return answer
  }
}

async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, json: objectIn(text) }
}

function objectIn(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}
