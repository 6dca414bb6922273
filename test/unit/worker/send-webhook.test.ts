import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

import { afterEach, describe, expect, test } from '@jest/globals'
import type { Webhook, WebhookEvent } from '@mayfly/core'
import { makeNetworkGuard, networksVariable } from '@mayfly/runtime'
import { makeSendWebhook, signWebhook, type SendWebhookDeps } from '@mayfly/worker'
import { Secret } from '@mayfly/core'

const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
const noon = new Date('2026-11-23T12:00:00.000Z')
const soon = (): AbortSignal => AbortSignal.timeout(10_000)

const event: WebhookEvent = {
  id: 'evt_42',
  type: 'lease.revoked',
  at: noon,
  subject: null,
  agent: 'web-ci',
  taskId: 'tsk_1',
  leaseId: 'lea_1',
  decisionId: 'dec_1',
  facts: { proof: 'GitHub answered 401' },
  position: { transactionId: '9', seq: '42' },
}

const servers: Server[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})

async function receiver(listener: RequestListener): Promise<number> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  servers.push(server)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port // not a pipe, and listening
}

const hook = (url: string): Webhook => ({
  kind: 'Webhook',
  name: 'soc',
  url,
  events: ['*'],
  secret: 'env:HOOK_SECRET',
})

function sender(more: Partial<SendWebhookDeps> & { readonly allowed?: string } = {}) {
  const { allowed = '127.0.0.1', ...deps } = more
  return makeSendWebhook({
    guard: makeNetworkGuard(networksVariable.parse(allowed)),
    resolveHost: (_host, answer) => {
      answer(null, [{ address: '127.0.0.1', family: 4 }])
    },
    resolveReference: () => secret,
    clock: { now: () => noon },
    timeoutMs: 2_000,
    ...deps,
  })
}

describe('sending a webhook', () => {
  test('is one signed request with what the event may tell', async () => {
    const seen: unknown[] = []
    const port = await receiver((request, response) => {
      void text(request).then((body) => {
        const { method, url, headers } = request
        seen.push({ method, url, headers, body })
        response.writeHead(204).end()
      })
    })
    const sent = await sender()(hook(`http://127.0.0.1:${String(port)}/in?k=v`), event, soon())
    expect(sent).toEqual({ delivered: true })
    const body = JSON.stringify({
      id: 'evt_42',
      type: 'lease.revoked',
      timestamp: '2026-11-23T12:00:00.000Z',
      data: {
        proof: 'GitHub answered 401',
        agent: 'web-ci',
        taskId: 'tsk_1',
        leaseId: 'lea_1',
        decisionId: 'dec_1',
      },
    })
    const timestamp = noon.getTime() / 1000
    expect(seen).toEqual([
      {
        method: 'POST',
        url: '/in?k=v',
        headers: {
          ...signWebhook(new Secret(secret), { id: 'evt_42', timestamp, body }),
          host: `127.0.0.1:${String(port)}`,
          'content-type': 'application/json',
          'content-length': String(body.length),
          'user-agent': 'mayfly-webhooks',
          connection: 'close',
        },
        body,
      },
    ])
  })

  test.each([
    [200, { delivered: true }],
    [301, { delivered: false, note: 'redirected' }],
    [307, { delivered: false, note: 'redirected' }],
    [400, { delivered: false, note: 'refused' }],
    [410, { delivered: false, note: 'refused' }],
    [500, { delivered: false, note: 'receiver_failed' }],
  ])('when the receiver answers %d', async (status, expected) => {
    let calls = 0
    const port = await receiver((_request, response) => {
      calls += 1
      response.writeHead(status, { location: '/elsewhere' }).end()
    })
    const sent = await sender()(hook(`http://127.0.0.1:${String(port)}`), event, soon())
    expect({ sent, calls }).toEqual({ sent: expected, calls: 1 })
  })

  test('gives up on a receiver that takes too long', async () => {
    const port = await receiver(() => undefined)
    const send = sender({ timeoutMs: 100 })
    expect(await send(hook(`http://127.0.0.1:${String(port)}`), event, soon())).toEqual({
      delivered: false,
      note: 'timed_out',
    })
  })

  test('does not read an answer without end', async () => {
    let written = 0
    const port = await receiver((_request, response) => {
      response.writeHead(200)
      const more = (): void => {
        written += 65_536
        if (!response.destroyed) response.write(Buffer.alloc(65_536), more)
      }
      more()
    })
    const sent = await sender()(hook(`http://127.0.0.1:${String(port)}`), event, soon())
    expect(sent).toEqual({ delivered: true })
    expect(written).toBeLessThan(64 * 1024 * 1024)
  })

  test('says so when nobody listens, or the name is none', async () => {
    const port = await receiver(() => undefined)
    for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve))
    const closed = await sender()(hook(`http://127.0.0.1:${String(port)}`), event, soon())
    expect(closed).toEqual({ delivered: false, note: 'unreachable' })
    const unknown = sender({
      resolveHost: (_host, answer) => {
        answer(Object.assign(new Error('no'), { code: 'ENOTFOUND' }), [])
      },
    })
    const sent = await unknown(hook('https://hooks.example/'), event, soon())
    expect(sent).toEqual({ delivered: false, note: 'unreachable' })
  })
})

describe('R116 an address that is not public', () => {
  test.each([
    ['10.0.0.1'],
    ['169.254.169.254'],
    ['127.0.0.1'],
    ['::1'],
    ['::ffff:10.0.0.1'],
    ['fd00::1'],
    ['100.64.0.1'],
  ])('is refused when a name resolves to %s, even beside a public one', async (address) => {
    const asked: string[] = []
    const family = address.includes(':') ? 6 : 4
    const send = sender({
      allowed: '',
      resolveHost: (host, answer) => {
        asked.push(host)
        answer(null, [
          { address: '1.1.1.1', family: 4 },
          { address, family },
        ])
      },
    })
    const sent = await send(hook('https://hooks.example:9/'), event, soon())
    expect({ sent, asked }).toEqual({
      sent: { delivered: false, note: 'address_refused' },
      // Once: there is no second answer that could differ from the one that was checked.
      asked: ['hooks.example'],
    })
  })

  test('is refused when it is written in the URL, without a connection', async () => {
    let calls = 0
    const port = await receiver((_request, response) => {
      calls += 1
      response.end()
    })
    const urls = ['http://127.0.0.1', 'https://127.0.0.1', 'http://localhost', 'http://0x7f.1']
    for (const url of urls) {
      const sent = await sender({ allowed: '' })(hook(`${url}:${String(port)}/`), event, soon())
      expect(sent).toEqual({ delivered: false, note: 'url_refused' })
    }
    expect(calls).toBe(0)
  })
})

test('a secret that is missing or unusable sends nothing, and says no more than that', async () => {
  const url = 'http://127.0.0.1:1/'
  for (const resolveReference of [
    () => 'too short',
    (): string => {
      throw new Error('not set')
    },
  ]) {
    const sent = await sender({ resolveReference })(hook(url), event, soon())
    expect(sent).toEqual({ delivered: false, note: 'secret_unusable' })
  }
})
