import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'

/**
 * GitHub's token endpoints with no work behind them: what is left is Mayfly's own cost. It keeps the
 * one behaviour that the measurement needs, that a revoked token answers 401. Prints its URL.
 */
const live = new Set<string>()

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return chunks.length > 0
    ? (JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>)
    : {}
}

async function answer(request: IncomingMessage): Promise<{ status: number; body?: unknown }> {
  const bearer = request.headers.authorization?.split(' ')[1] ?? ''
  if (request.method === 'POST' && request.url?.endsWith('/access_tokens')) {
    const asked = await bodyOf(request)
    const token = `ghs_1_${randomBytes(24).toString('base64url')}`
    live.add(token)
    const ids = Array.isArray(asked['repository_ids']) ? asked['repository_ids'] : []
    const names = Array.isArray(asked['repositories']) ? asked['repositories'] : []
    return {
      status: 201,
      body: {
        token,
        expires_at: new Date(Date.now() + 3_600_000).toISOString().replace(/\.\d+Z/, 'Z'),
        permissions: asked['permissions'],
        repository_selection: 'selected',
        repositories: [
          ...ids.map((id) => ({ id: Number(id), name: `repo-${String(id)}` })),
          ...names.map((name, index) => ({ id: index + 1, name: String(name) })),
        ],
      },
    }
  }
  if (request.method === 'GET' && request.url === '/_live')
    return { status: 200, body: { live: live.size } }
  if (request.method === 'DELETE') return { status: live.delete(bearer) ? 204 : 401 }
  return { status: live.has(bearer) ? 200 : 401, body: { repositories: [] } }
}

const server = createServer((request, response) => {
  void answer(request).then(({ status, body }) => {
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(body === undefined ? undefined : JSON.stringify(body))
  })
})
server.keepAliveTimeout = 30_000
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  process.stdout.write(`http://127.0.0.1:${String(address.port)}\n`)
})
