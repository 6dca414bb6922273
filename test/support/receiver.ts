import { createHmac, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

export interface Received {
  readonly id: string
  readonly type: string
  readonly timestamp: string
  readonly data: Readonly<Record<string, unknown>>
}

/** Somebody's endpoint for webhooks: it believes what is signed with its secret, and nothing else. */
export interface Receiver {
  readonly url: string
  /** What it accepted, oldest first. */
  readonly received: readonly Received[]
  /** Every request, accepted or not. */
  readonly requests: readonly string[]
  /** Answers with this from now on; `null` never answers. */
  answer(status: number | null): void
  stop(): Promise<void>
}

export async function startReceiver(secret: string): Promise<Receiver> {
  const received: Received[] = []
  const requests: string[] = []
  let status: number | null = 204

  const server = createServer((request, response) => {
    void text(request).then((body) => {
      requests.push(body)
      if (status === null) return
      if (!isSigned(secret, request, body)) {
        response.writeHead(401).end()
        return
      }
      if (status < 300) received.push(JSON.parse(body) as Received) // signed, so it is ours
      response.writeHead(status).end()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // not a pipe, and listening
  return {
    url: `http://127.0.0.1:${String(port)}/hook`,
    received,
    requests,
    answer: (next) => {
      status = next
    },
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** As a receiver would check it that knows nothing of Mayfly but the specification. */
function isSigned(secret: string, { headers }: IncomingMessage, body: string): boolean {
  const [id, timestamp] = [headers['webhook-id'], headers['webhook-timestamp']]
  if (Math.abs(Date.now() / 1000 - Number(timestamp)) > 300) return false
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  const expected = createHmac('sha256', key)
    .update(`${String(id)}.${String(timestamp)}.${body}`)
    .digest()
  const signatures = String(headers['webhook-signature']).split(' ')
  return signatures.some((signature) => {
    const given = Buffer.from(signature.replace(/^v1,/, ''), 'base64')
    return given.length === expected.length && timingSafeEqual(given, expected)
  })
}
