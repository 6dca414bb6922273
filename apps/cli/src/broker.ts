import { makeClient, type Client } from '@mayfly/protocol'

import type { Terminal } from './terminal.ts'
import { UsageError } from './usage-error.ts'

/** Reads `MAYFLY_URL`. Tokens travel there, so it is https or this machine. */
export function brokerUrl({ env }: Terminal): URL {
  const text = env['MAYFLY_URL'] ?? ''
  if (!URL.canParse(text)) throw new UsageError('set MAYFLY_URL to the address of the broker')
  const url = new URL(text)
  const isLocal = ['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname)
  if (url.protocol === 'https:' || (url.protocol === 'http:' && isLocal)) return url
  throw new UsageError('MAYFLY_URL must be https, or http to this machine')
}

export function brokerClient(terminal: Terminal): Client {
  return makeClient({
    baseUrl: brokerUrl(terminal),
    fetch: terminal.fetch,
    userAgent: 'mayfly-cli',
  })
}
