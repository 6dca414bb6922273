import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import { json } from 'node:stream/consumers'

/**
 * GitHub's token endpoints with no work behind them: what is left is Mayfly's own cost. It keeps the
 * one behaviour that the measurement needs, that a revoked token answers 401. Prints its URL.
 */
const live = new Set<string>()

interface Answer {
  readonly status: number
  readonly body?: object
}

async function answer(request: IncomingMessage): Promise<Answer> {
  const bearer = request.headers.authorization?.split(' ')[1] ?? ''
  if (request.method === 'POST') return mint(request)
  if (request.method === 'PUT') return adopt(request)
  if (request.method === 'DELETE') return { status: live.delete(bearer) ? 204 : 401 }
  if (request.url === '/_live') return { status: 200, body: { live: live.size } }
  return { status: live.has(bearer) ? 200 : 401, body: { repositories: [] } }
}

/** Tokens that were minted before this process began. */
async function adopt(request: IncomingMessage): Promise<Answer> {
  for (const token of (await json(request)) as string[]) live.add(token) // seeded-leases.ts
  return { status: 204 }
}

async function mint(request: IncomingMessage): Promise<Answer> {
  const asked = (await json(request)) as { permissions: object; repository_ids: number[] } // Mayfly's
  const token = `ghs_1_${randomBytes(24).toString('base64url')}`
  live.add(token)
  return {
    status: 201,
    body: {
      token,
      expires_at: new Date(Date.now() + 3_600_000).toISOString().replace(/\.\d+Z/, 'Z'),
      permissions: asked.permissions,
      repository_selection: 'selected',
      repositories: asked.repository_ids.map((id) => ({
        id,
        full_name: `acme/repo-${String(id)}`,
      })),
    },
  }
}

const server = createServer((request, response) => {
  void answer(request).then(({ status, body }) => {
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(body && JSON.stringify(body))
  })
})
server.keepAliveTimeout = 30_000
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  process.stdout.write(`http://127.0.0.1:${String(address.port)}\n`)
})
