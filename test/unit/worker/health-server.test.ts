import { startHealthServer } from '@mayfly/worker'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'

type Server = Awaited<ReturnType<typeof startHealthServer>>

describe('the health server of the worker', () => {
  let server: Server
  let checks: () => Promise<Record<string, boolean>>

  beforeEach(async () => {
    server = await startHealthServer({
      host: '127.0.0.1',
      port: 0,
      checks: () => checks(),
      metrics: () => Promise.resolve({ contentType: 'text/plain', text: 'mayfly_up 1\n' }),
    })
  })
  afterEach(async () => {
    await server.stop()
  })

  async function get(path: string, method = 'GET'): Promise<[number, unknown]> {
    const response = await fetch(new URL(path, server.url), { method })
    return [response.status, await response.text().then(parsed)]
  }

  test('is alive while the process runs', async () => {
    expect(await get('/healthz')).toEqual([200, { status: 'ok' }])
  })

  test('is ready when every check passes', async () => {
    checks = () => Promise.resolve({ database: true, sweep: true })
    expect(await get('/readyz')).toEqual([
      200,
      { status: 'ready', checks: { database: 'ok', sweep: 'ok' } },
    ])
  })

  test('R96 is not ready when one check fails', async () => {
    checks = () => Promise.resolve({ database: true, sweep: false })
    expect(await get('/readyz')).toEqual([
      503,
      { status: 'not_ready', checks: { database: 'ok', sweep: 'failing' } },
    ])
  })

  test('says nothing of what broke a check', async () => {
    checks = () => Promise.reject(new Error('password is hunter2'))
    expect(await get('/readyz')).toEqual([500, { status: 'error' }])
  })

  test('serves the metrics', async () => {
    expect(await get('/metrics')).toEqual([200, 'mayfly_up 1\n'])
  })

  test('has nothing else, and only reads', async () => {
    expect(await get('/')).toEqual([404, { status: 'not_found' }])
    expect(await get('/healthz', 'POST')).toEqual([404, { status: 'not_found' }])
  })
})

function parsed(text: string): unknown {
  return text.startsWith('{') ? JSON.parse(text) : text
}
