import { describe, expect, test } from '@jest/globals'
import { MayflyError, type ErrorCode } from '@mayfly/core'
import { problemSchema, PROBLEMS } from '@mayfly/protocol'
import request from 'supertest'

import {
  bearer,
  brokerWorld,
  leaseRequest,
  task,
  taskRequest,
  type BrokerWorld,
} from './broker-world.ts'

const post = (world: BrokerWorld, path: string, token: string): request.Test =>
  request(world.server).post(path).set(bearer(token))

/** The whole problem, so that nothing more than this is ever said. */
const expectProblem = (response: request.Response, status: number, code: string): void => {
  expect(response.headers['content-type']).toBe('application/problem+json')
  const problem = problemSchema.parse(JSON.parse(response.text))
  expect(problem).toMatchObject({ status, code, requestId: response.headers['x-request-id'] })
  expect(problem.type).toBe(`https://mayfly.dev/problems/${code}`)
  expect(response.status).toBe(status)
}

describe('bodies', () => {
  test('R114 one that is not JSON is refused without being quoted', async () => {
    const world = await brokerWorld()
    const response = await post(world, '/v1/leases', 'task_tsk_1')
      .set('content-type', 'application/json')
      .send('{"template": canary-in-body')
    expectProblem(response, 400, 'invalid_request')
    expect(response.text + world.log()).not.toContain('canary')
  })

  test('R114 an unknown field is named, and no value is repeated', async () => {
    const world = await brokerWorld()
    const response = await post(world, '/v1/leases', 'task_tsk_1').send({
      ...leaseRequest,
      actions: 'canary',
      admin: 'canary',
    })
    expectProblem(response, 400, 'invalid_request')
    expect(JSON.parse(response.text)).toMatchObject({
      details: {
        issues: [
          { path: 'actions', message: 'Invalid input: expected array, received string' },
          { path: '', message: 'Unrecognized key: "admin"' },
        ],
      },
    })
    expect(response.text + world.log()).not.toContain('canary')
    expect(world.diary).toEqual([])
  })

  test('R114 64 KiB are read and not a byte more', async () => {
    const world = await brokerWorld()
    const reason = 'x'.repeat(64 * 1024)
    const response = await post(world, '/v1/leases', 'task_tsk_1').send({ ...leaseRequest, reason })
    expectProblem(response, 413, 'payload_too_large')

    const fitting = JSON.stringify({ ...leaseRequest, reason: 'ok' }).padEnd(64 * 1024, ' ')
    const accepted = await post(world, '/v1/leases', 'task_tsk_1')
      .set('content-type', 'application/json')
      .send(fitting)
    expect(accepted.status).toBe(201)
  })

  test('R114 deep nesting is refused at the seventeenth level', async () => {
    const world = await brokerWorld()
    const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels)
    const send = (body: string): Promise<request.Response> =>
      post(world, '/v1/leases', 'task_tsk_1').set('content-type', 'application/json').send(body)
    for (const levels of [17, 30_000]) {
      const response = await send(nested(levels))
      expectProblem(response, 400, 'invalid_request')
      expect(response.text).toContain('nested deeper than 16 levels')
    }
    expect((await send(nested(16))).text).not.toContain('nested deeper')
  })

  test.each([
    '{"__proto__": {"admin": true}}',
    '{"parameters": {"__proto__": {"admin": true}}}',
    '{"a": [{"constructor": {"prototype": {"admin": true}}}]}',
    String.raw`{"\u005f_proto__": {"admin": true}}`,
  ])('R114 a key that could reach a prototype is refused: %s', async (body) => {
    const world = await brokerWorld()
    const response = await post(world, '/v1/leases', 'task_tsk_1')
      .set('content-type', 'application/json')
      .send(body)
    expectProblem(response, 400, 'invalid_request')
    expect(response.text).toContain('a key that is not acceptable')
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined()
  })

  test.each([
    ['text/plain', '{}'],
    ['application/x-www-form-urlencoded', 'a=b'],
    ['application/json-patch+json', '[]'],
    ['application/json; charset=latin1', '{}'],
  ])('only JSON in UTF-8 is read, not %s', async (type, body) => {
    const response = await post(await brokerWorld(), '/v1/leases', 'task_tsk_1')
      .set('content-type', type)
      .send(body)
    expectProblem(response, 415, 'unsupported_media_type')
  })

  test('a compressed body is refused, whatever it unpacks to', async () => {
    const response = await post(await brokerWorld(), '/v1/leases', 'task_tsk_1')
      .set('content-type', 'application/json')
      .set('content-encoding', 'gzip')
      .send('{}')
    expectProblem(response, 415, 'unsupported_media_type')
  })

  test('a missing body is a bad request, and a route that needs none takes none', async () => {
    const world = await brokerWorld()
    expectProblem(await post(world, '/v1/leases', 'task_tsk_1'), 400, 'invalid_request')
    expect((await post(world, '/v1/tasks/tsk_1/close', 'task_tsk_1')).status).toBe(200)
  })

  test('a policy set may be larger than other bodies, but only for who may apply one', async () => {
    const world = await brokerWorld()
    const resources = [{ kind: 'Owner', metadata: { name: 'x'.repeat(100_000) } }]
    const applied = await post(world, '/v1/policy-sets', 'operator_platform').send({ resources })
    expect(applied.status).toBe(200)
    const refused = await post(world, '/v1/policy-sets', 'operator_auditor').send({ resources })
    expectProblem(refused, 403, 'role_required')
    const huge = [{ kind: 'x'.repeat(5_000_000) }]
    const response = await post(world, '/v1/policy-sets', 'operator_platform').send({
      resources: huge,
    })
    expectProblem(response, 413, 'payload_too_large')
    expect(world.diary.filter((entry) => entry.startsWith('apply'))).toEqual(['apply 1 by dana'])
  })
})

describe('text that the database cannot store', () => {
  test.each([
    String.raw`{"template": "a\u0000"}`,
    String.raw`{"parameters": {"a": ["\ud800"]}}`,
    String.raw`{"parameters": {"\udc00": 1}}`,
  ])('is refused in a body: %s', async (body) => {
    const response = await post(await brokerWorld(), '/v1/leases', 'task_tsk_1')
      .set('content-type', 'application/json')
      .send(body)
    expectProblem(response, 400, 'invalid_request')
    expect(response.text).toContain('a null byte or half a surrogate pair')
  })

  test.each(['/v1/leases/lea_%00', '/v1/leases?target=%00', '/v1/tasks/%00'])(
    'is refused in a URL: %s',
    async (path) => {
      const response = await request((await brokerWorld()).server)
        .get(path)
        .set(bearer('task_tsk_1'))
      expectProblem(response, 400, 'invalid_request')
    },
  )

  test('and whole surrogate pairs are text like any other', async () => {
    const response = await post(await brokerWorld(), '/v1/leases', 'task_tsk_1').send({
      ...leaseRequest,
      reason: '\u{1f41d}',
    })
    expect(response.status).toBe(201)
  })
})

describe('requests that go nowhere', () => {
  test.each(['/', '/v1', '/v1/nothing', '/v1/leases/lea_1/extra', '/admin'])(
    'GET %s is not found',
    async (path) => {
      const response = await request((await brokerWorld()).server)
        .get(path)
        .set(bearer('task_tsk_1'))
      expectProblem(response, 404, 'not_found')
    },
  )

  test('a path that is not percent-encoding is a bad request', async () => {
    const response = await request((await brokerWorld()).server)
      .get('/v1/leases/%E0%A4%A')
      .set(bearer('task_tsk_1'))
    expectProblem(response, 400, 'invalid_request')
  })

  test('an idempotency key that cannot be stored is refused', async () => {
    for (const key of ['x'.repeat(256), 'with space', '']) {
      const response = await post(await brokerWorld(), '/v1/leases', 'task_tsk_1')
        .set('idempotency-key', key)
        .send(leaseRequest)
      expectProblem(response, 400, 'invalid_request')
    }
  })

  test('a query that does not parse is a bad request', async () => {
    for (const query of ['live=perhaps', 'limit=0', 'limit=many', 'nobody=dana', 'taskId=t']) {
      const response = await request((await brokerWorld()).server)
        .get(`/v1/leases?${query}`)
        .set(bearer('operator_auditor'))
      expectProblem(response, 400, 'invalid_request')
    }
  })
})

describe('refusals from the inside', () => {
  const codes: readonly ErrorCode[] = [
    'scope_template_unknown',
    'action_unknown',
    'parameter_invalid',
    'ttl_invalid',
    'ttl_too_long',
    'task_closed',
    'limit_reached',
    'idempotency_conflict',
    'credential_already_delivered',
    'provider_rejected',
    'provider_unavailable',
    'database_unavailable',
    'policy_unavailable',
  ]
  test.each(codes)('%s has the status of the table, on leases and on tasks', async (code) => {
    const world = await brokerWorld({
      issueLease: () => Promise.reject(new MayflyError(code, 'no')),
      openTask: () => Promise.reject(new MayflyError(code, 'no')),
    })
    const { status } = PROBLEMS[code]
    expectProblem(await post(world, '/v1/leases', 'task_tsk_1').send(leaseRequest), status, code)
    expectProblem(await post(world, '/v1/tasks', 'workload').send(taskRequest), status, code)
  })

  test('a closed task is refused before anything is decided', async () => {
    const closed = { ...task, closedAt: new Date() }
    const world = await brokerWorld({
      tasks: { find: () => Promise.resolve(closed), renew: () => Promise.reject(new Error()) },
    })
    const response = await post(world, '/v1/leases', 'task_tsk_1').send(leaseRequest)
    expectProblem(response, 409, 'task_closed')
    expect(world.diary).toEqual([])
  })

  test('a denial carries its explanation, and the time to wait is a header', async () => {
    const explanation = {
      code: 'denied',
      message: 'the repository is not yours',
      rule: 'own-repo',
      nearest: { template: 'branch', actions: ['repo.read'], parameters: {}, ttlSeconds: 600 },
    }
    const denied = await brokerWorld({
      issueLease: () =>
        Promise.reject(
          new MayflyError('denied', explanation.message, {
            details: { explanation },
            retryAfterSeconds: 7,
          }),
        ),
    })
    const response = await post(denied, '/v1/leases', 'task_tsk_1').send(leaseRequest)
    expectProblem(response, 403, 'denied')
    expect(JSON.parse(response.text)).toEqual({
      type: 'https://mayfly.dev/problems/denied',
      title: 'Policy says no',
      status: 403,
      code: 'denied',
      requestId: response.headers['x-request-id'],
      retryable: false,
      detail: 'the repository is not yours',
      explanation,
    })
    expect(response.headers['retry-after']).toBe('7')
  })

  test('R33 an error that nobody expected says nothing, and is logged once', async () => {
    const world = await brokerWorld({
      issueLease: () => Promise.reject(new TypeError('inner-detail of the code')),
    })
    const response = await post(world, '/v1/leases', 'task_tsk_1').send(leaseRequest)
    expectProblem(response, 500, 'internal')
    expect(response.text).not.toContain('inner-detail')
    expect(response.text).not.toContain(' at ')
    expect(world.lines().filter(({ msg }) => msg === 'failed')).toHaveLength(1)
    expect(world.log()).toContain('inner-detail')
  })

  test('R33 the cause of an error stays inside', async () => {
    const cause = new Error('provider-text')
    const world = await brokerWorld({
      issueLease: () =>
        Promise.reject(new MayflyError('provider_rejected', 'GitHub answered 403', { cause })),
    })
    const response = await post(world, '/v1/leases', 'task_tsk_1').send(leaseRequest)
    expectProblem(response, 502, 'provider_rejected')
    expect(response.text).not.toContain('provider-text')
    expect(world.log()).toContain('provider-text')
  })
})
