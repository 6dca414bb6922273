export interface FetchJsonOptions {
  readonly fetch: typeof globalThis.fetch
  readonly signal: AbortSignal
  readonly maxBytes: number
}

/** Reads one JSON document: no redirects, no answer but 200, and never more than `maxBytes` in memory. */
export async function fetchJson(url: URL, options: FetchJsonOptions): Promise<unknown> {
  const response = await options.fetch(url, {
    headers: { accept: 'application/json' },
    redirect: 'error',
    signal: options.signal,
  })
  if (response.status !== 200) {
    await response.body?.cancel()
    throw new Error(`${url.href} answered ${String(response.status)}`)
  }
  return JSON.parse(await readText(response, options.maxBytes))
}

async function readText(response: Response, maxBytes: number): Promise<string> {
  // The types leave the chunks open; a response body's are bytes (Fetch section 2.2.4).
  const body = response.body as AsyncIterable<Uint8Array> | null
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body ?? []) {
    size += chunk.byteLength
    // Leaving the loop cancels the body, and with it the connection.
    if (size > maxBytes) throw new Error(`${response.url} sent more than ${String(maxBytes)} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
