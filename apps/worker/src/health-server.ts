import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface HealthServerOptions {
  readonly host: string
  readonly port: number
  /** What the worker needs in order to do its work, by name. */
  readonly checks: () => Promise<Readonly<Record<string, boolean>>>
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>
}

export interface HealthServer {
  readonly url: URL
  stop(): Promise<void>
}

type Route = (response: ServerResponse) => void | Promise<void>

/** `/healthz` (the process runs), `/readyz` (it can do its work) and `/metrics`. */
export async function startHealthServer(options: HealthServerOptions): Promise<HealthServer> {
  const routes = new Map<string, Route>([
    [
      '/healthz',
      (response) => {
        sendJson(response, 200, { status: 'ok' })
      },
    ],
    [
      '/readyz',
      async (response) => {
        const checks = Object.entries(await options.checks())
        const ready = checks.every(([, passed]) => passed)
        sendJson(response, ready ? 200 : 503, {
          status: ready ? 'ready' : 'not_ready',
          checks: Object.fromEntries(
            checks.map(([name, passed]) => [name, passed ? 'ok' : 'failing']),
          ),
        })
      },
    ],
    [
      '/metrics',
      async (response) => {
        const { contentType, text } = await options.metrics()
        response.writeHead(200, { 'content-type': contentType }).end(text)
      },
    ],
  ])

  const server = createServer({ requestTimeout: 10_000 }, (request, response) => {
    const route = request.method === 'GET' ? routes.get(request.url ?? '') : undefined
    if (!route) {
      sendJson(response, 404, { status: 'not_found' })
      return
    }
    Promise.resolve(route(response)).catch(() => {
      sendJson(response, 500, { status: 'error' })
    })
  }).listen(options.port, options.host)
  await once(server, 'listening')
  const { address, family, port } = server.address() as AddressInfo // it listens on TCP

  return {
    url: new URL(`http://${family === 'IPv6' ? `[${address}]` : address}:${String(port)}`),
    async stop() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
