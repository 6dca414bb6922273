import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A server on the loopback interface, and the way to stop it. */
export interface Listening {
  readonly url: URL
  stop(): Promise<void>
}

export interface ListenOptions {
  /** 0 lets the system choose one. */
  readonly port?: number | undefined
  /** As servers do in life. Without it each connection serves one request. */
  readonly keepAlive?: boolean | undefined
}

/** Serves on 127.0.0.1. Resolves when the port is open. */
export async function listen(
  handler: RequestListener,
  { port = 0, keepAlive = false }: ListenOptions = {},
): Promise<Listening> {
  const server = createServer((request, response) => {
    // A kept-alive connection would hold a client's process open after its work is done.
    if (!keepAlive) response.setHeader('connection', 'close')
    handler(request, response)
  })
  // Longer than any client keeps one for: a request on a connection that is just being closed fails.
  if (keepAlive) server.keepAliveTimeout = 120_000
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject)
      resolve()
    })
  })
  // An address is a string only for Unix sockets, and null only before listening.
  const { port: bound } = server.address() as AddressInfo
  return {
    url: new URL(`http://127.0.0.1:${String(bound)}`),
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => {
          resolve()
        })
        // A request that hangs on purpose must not hold up the stop.
        server.closeAllConnections()
      }),
  }
}
