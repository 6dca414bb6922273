import { hostname } from 'node:os'

import { describe, expect, test } from '@jest/globals'
import { MayflyError } from '@mayfly/core'
import request from 'supertest'

import { bearer, brokerWorld, canary, leaseRequest, taskRequest } from './broker-world.ts'

describe('headers', () => {
  test('every answer is unkept, unframed and unsniffed, and says nothing of what made it', async () => {
    const { server } = await brokerWorld()
    for (const path of ['/healthz', '/v1/leases/lea_1', '/v1/nothing', '/openapi.json']) {
      const { headers } = await request(server).get(path).set(bearer('task_tsk_1'))
      expect(headers).toMatchObject({
        'cache-control': 'no-store',
        'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
        'cross-origin-resource-policy': 'same-origin',
        'referrer-policy': 'no-referrer',
        'x-content-type-options': 'nosniff',
      })
      expect(headers).not.toHaveProperty('x-powered-by')
      expect(headers).not.toHaveProperty('etag')
      expect(headers).not.toHaveProperty('access-control-allow-origin')
    }
  })

  test('a request id is echoed if it is harmless, and made where it is not', async () => {
    const { server } = await brokerWorld()
    const idFor = async (given: string): Promise<unknown> => {
      const response = await request(server).get('/healthz').set('x-request-id', given)
      return response.headers['x-request-id']
    }
    expect(await idFor('ci-run-17:attempt/2')).toBe('ci-run-17:attempt/2')
    for (const bad of ['', 'with space', 'x'.repeat(129), '<script>', 'a"b']) {
      expect(await idFor(bad)).toMatch(/^req_[0-9A-Z]{26}$/)
    }
  })

  test('R115 one address is slowed down before its signatures are checked', async () => {
    let checked = 0
    const world = await brokerWorld({
      requestsPerMinute: 2,
      verifiers: {
        workload: () => Promise.reject(new Error('not asked')),
        operator: () => Promise.reject(new Error('not asked')),
        task: (token) => {
          checked += 1
          return Promise.resolve({ kind: 'task', taskId: token.slice(5), agent: 'codex' })
        },
      },
    })
    const get = (path: string): request.Test =>
      request(world.server).get(path).set(bearer('task_tsk_1'))
    expect((await get('/v1/leases/lea_1')).status).toBe(200)
    expect((await get('/v1/leases/lea_1')).status).toBe(200)
    const limited = await get('/v1/leases/lea_1').set('x-forwarded-for', '203.0.113.9')
    expect(JSON.parse(limited.text)).toMatchObject({
      status: 429,
      code: 'rate_limited',
      retryable: true,
    })
    expect(Number(limited.headers['retry-after'])).toBeGreaterThan(0)
    expect(Number(limited.headers['retry-after'])).toBeLessThanOrEqual(60)
    expect(checked).toBe(2)
    expect((await get('/healthz')).status).toBe(200)
  })

  test('R115 one agent is slowed down over all its tasks, and others are not', async () => {
    const world = await brokerWorld({
      requestsPerMinutePerCaller: 2,
      verifiers: {
        workload: () => Promise.reject(new Error('not asked')),
        operator: () => Promise.reject(new Error('not asked')),
        task: (token) => {
          const [agent = '', taskId = ''] = token.split('.')
          return Promise.resolve({ kind: 'task', taskId, agent })
        },
      },
    })
    const statusFor = async (token: string): Promise<number> =>
      (await request(world.server).get('/v1/leases/lea_1').set(bearer(token))).status
    const first = [await statusFor('codex.tsk_1'), await statusFor('codex.tsk_2')]
    expect(first).not.toContain(429)
    expect(await statusFor('codex.tsk_3')).toBe(429)
    expect(await statusFor('claude.tsk_4')).not.toBe(429)
  })

  test('forwarded addresses count only where a proxy is trusted', async () => {
    const world = await brokerWorld({ requestsPerMinute: 1, trustProxy: 1 })
    const from = (address: string): request.Test =>
      request(world.server).get('/openapi.json').set('x-forwarded-for', address)
    expect((await from('203.0.113.1')).status).toBe(200)
    expect((await from('203.0.113.2')).status).toBe(200)
    expect((await from('203.0.113.1')).status).toBe(429)
  })
})

describe('readiness', () => {
  test('fails when the database is away, and says which check it was', async () => {
    const world = await brokerWorld({
      checks: () => Promise.resolve({ database: 'failing', policySet: 'ok' }),
    })
    const response = await request(world.server).get('/readyz')
    expect(response.status).toBe(503)
    expect(response.body).toEqual({
      status: 'not_ready',
      checks: { database: 'failing', policySet: 'ok' },
    })
    expect((await request(world.server).get('/healthz')).status).toBe(200)
  })

  test('metrics count requests by route pattern, never by path', async () => {
    const world = await brokerWorld()
    await request(world.server).get('/v1/leases/lea_1').set(bearer('task_tsk_1'))
    await request(world.server).get('/v1/canary/path')
    const { text } = await request(world.server).get('/metrics')
    expect(text).toContain('method="GET",route="/v1/leases/:leaseId",status="200"')
    expect(text).toContain('route="unmatched",status="404"')
    expect(text).not.toContain('canary')
  })
})

describe('the log', () => {
  test('has one line per request: route pattern, status, time, ids', async () => {
    const world = await brokerWorld()
    await request(world.server)
      .post('/v1/leases?query=canary')
      .set({ ...bearer('task_tsk_1'), 'x-request-id': 'mine' })
      .send(leaseRequest)
    expect(world.lines()).toEqual([
      {
        level: 30,
        time: expect.any(String) as unknown,
        name: 'broker',
        pid: process.pid,
        hostname: hostname(),
        msg: 'request',
        requestId: 'mine',
        method: 'POST',
        route: '/v1/leases',
        status: 201,
        milliseconds: expect.any(Number) as unknown,
        agent: 'codex',
        taskId: 'tsk_1',
        leaseId: 'lea_1',
      },
    ])
  })

  test('R118 no token, credential, body, header or query value is ever in it', async () => {
    const world = await brokerWorld()
    const call = request(world.server)
    const secret = 'workload-canary'
    await call
      .post('/v1/tasks?q=canary')
      .set({ ...bearer(secret), cookie: 'canary', 'user-agent': 'canary' })
      .send({ ...taskRequest, intent: { reason: 'canary reason' } })
    await call
      .post('/v1/leases')
      .set(bearer('task_tsk_1'))
      .send({ ...leaseRequest, reason: canary })
    await call.get(`/v1/leases/${canary}`).set(bearer('task_tsk_1'))
    await call.get(`/${canary}`)
    await call
      .post('/v1/leases')
      .set(bearer(canary))
      .send({ [canary]: canary })
    await call.get('/v1/leases?target=canary').set(bearer('operator_auditor'))
    const failing = await brokerWorld({
      issueLease: () => {
        const cause = Object.assign(new Error(`upstream ${canary}`), { body: { token: canary } })
        return Promise.reject(new MayflyError('provider_unavailable', 'no answer', { cause }))
      },
    })
    await request(failing.server).post('/v1/leases').set(bearer('task_tsk_1')).send(leaseRequest)

    expect(world.lines()).toHaveLength(6)
    expect(failing.lines()).toHaveLength(2)
    expect(world.log() + failing.log()).not.toMatch(/canary/i)
  })
})
