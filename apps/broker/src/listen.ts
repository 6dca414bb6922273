import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'

import type { Certificate } from './certificate.ts'
import type { BrokerConfig } from './config.ts'

export interface Listening {
  /** Where it listens, which is not where clients reach it when a proxy stands before it. */
  readonly url: URL
  /** Takes no more requests, lets those in hand finish, and cuts what has not after a while. */
  stop(): Promise<void>
}

/** A slow sender gets this long for its headers and for its whole request. */
const TIMEOUTS = { headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 65_000 }

const DRAIN_MS = 8_000

export async function listen(
  app: RequestListener,
  config: Pick<BrokerConfig, 'host' | 'port'> & { readonly certificate: Certificate | null },
  /** Aborted first thing, so that answers without an end come to theirs. */
  closing: AbortController,
): Promise<Listening> {
  const server: Server = config.certificate
    ? createTlsServer(
        {
          ...TIMEOUTS,
          minVersion: 'TLSv1.2',
          ...config.certificate,
        },
        app,
      )
    : createServer(TIMEOUTS, app)
  server.listen(config.port, config.host)
  await once(server, 'listening')
  const { address, family, port } = server.address() as AddressInfo // it listens on TCP
  const host = family === 'IPv6' ? `[${address}]` : address

  return {
    url: new URL(`${config.certificate ? 'https' : 'http'}://${host}:${String(port)}`),
    async stop() {
      closing.abort()
      const closed = once(server, 'close')
      server.close()
      server.closeIdleConnections()
      const cut = setTimeout(() => {
        server.closeAllConnections()
      }, DRAIN_MS)
      await closed
      clearTimeout(cut)
    },
  }
}
