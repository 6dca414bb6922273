import { describe, expect, test } from '@jest/globals'
import { MayflyError, type ErrorCode } from '@mayfly/core'
import { IdentityRefusal } from '@mayfly/identity'
import { OPERATIONS, type Operation, type TokenKind } from '@mayfly/protocol'
import request from 'supertest'

import {
  bearer,
  brokerWorld,
  leaseRequest,
  task,
  taskRequest,
  type BrokerWorld,
} from './broker-world.ts'

const TOKENS: Readonly<Record<TokenKind, string>> = {
  workloadToken: 'workload',
  taskToken: 'task_tsk_1',
  operatorToken: 'operator_platform_responder',
}

const BODIES: Readonly<Record<string, object | string>> = {
  openTask: taskRequest,
  openLease: leaseRequest,
  reportLeak: { sha256: 'a'.repeat(64) },
  createFreeze: { selector: { agent: 'codex' }, reason: 'r' },
  liftFreeze: { reason: 'r' },
  contain: { selector: { agent: 'codex' }, reason: 'r', incident: 'INC-1' },
  cancelContainment: { reason: 'r' },
  receiveSecurityEvent: 'security.event.token',
  applyPolicySet: { resources: [{ kind: 'Owner' }] },
}

function send(
  world: BrokerWorld,
  operation: Operation,
  headers: Record<string, string>,
): request.Test {
  const path = operation.path
    .replace('{taskId}', 'tsk_1')
    .replace('{leaseId}', 'lea_1')
    .replace('{freezeId}', 'frz_1')
    // A finished one ends its stream, and cannot be cancelled.
    .replace('{containmentId}', operation.operationId === 'cancelContainment' ? 'cnt_2' : 'cnt_1')
  const test = request(world.server)[operation.method](path).set(headers)
  const body = BODIES[operation.operationId]
  const type = operation.request?.contentType ?? 'application/json'
  return body ? test.type(type).send(body) : test
}

/** The JSON of the answer, or of a stream's first event. */
function answerOf({ body, text, type }: request.Response): unknown {
  const [, data] = /^data: (.*)$/m.exec(text) ?? []
  if (data !== undefined) return JSON.parse(data) as unknown
  return type === 'text/plain' ? text : body
}

const guarded = OPERATIONS.filter(({ tokens }) => tokens.length > 0)

describe('every route', () => {
  test.each(OPERATIONS)('$operationId is served as documented', async (operation) => {
    for (const kind of operation.tokens.length > 0 ? operation.tokens : [null]) {
      const headers = kind ? bearer(TOKENS[kind]) : {}
      const response = await send(await brokerWorld(), operation, headers)
      expect({ kind, status: response.status }).toEqual({ kind, status: operation.answer.status })
      const { schema, contentType = 'application/json' } = operation.answer
      if (!schema) {
        expect(response.text).toBe('')
        continue
      }
      expect(response.headers['content-type']?.split(';')[0]).toBe(contentType)
      expect(schema.safeParse(answerOf(response)).error).toBeUndefined()
    }
  })

  test.each(guarded)('R1 $operationId is closed without a token', async (operation) => {
    const world = await brokerWorld()
    const headers = [{}, { authorization: 'Basic eDp5' }, { authorization: 'Bearer' }, bearer('\t')]
    for (const header of [...headers, { authorization: 'Bearer a b' }]) {
      const response = await send(world, operation, header)
      expect(response.status).toBe(401)
      expect(response.headers['www-authenticate']).toBe('Bearer')
      expect(JSON.parse(response.text)).toMatchObject({ code: 'unauthenticated' })
    }
    expect(world.diary).toEqual([])
  })

  test.each(guarded)('R13 $operationId refuses tokens of other classes', async (operation) => {
    for (const [kind, token] of Object.entries(TOKENS)) {
      if (operation.tokens.includes(kind as TokenKind)) continue
      const world = await brokerWorld()
      const response = await send(world, operation, bearer(token))
      expect({ kind, status: response.status }).toEqual({ kind, status: 401 })
      expect(world.diary).toEqual(['audit refusal unauthenticated'])
    }
  })

  test('a token in the query or the body is not looked for', async () => {
    const { server } = await brokerWorld()
    const response = await request(server).get('/v1/leases?access_token=task_tsk_1')
    expect(response.status).toBe(401)
  })
})

describe('operators', () => {
  const byId = (id: string): Operation => {
    const operation = OPERATIONS.find(({ operationId }) => operationId === id)
    if (!operation) throw new Error(`no operation ${id}`)
    return operation
  }

  test.each([
    ['applyPolicySet', ['platform']],
    ['currentPolicySet', ['platform', 'approver', 'responder', 'auditor']],
    ['listLeases', ['platform', 'approver', 'responder', 'auditor']],
    ['getLease', ['platform', 'approver', 'responder', 'auditor']],
    ['revokeLease', ['platform', 'responder']],
    ['closeTask', ['platform', 'responder']],
    ['reportLeak', ['responder']],
  ])('R13 %s is for %s', async (operationId, allowed) => {
    const statuses = new Map<string, number>()
    for (const role of ['platform', 'approver', 'responder', 'auditor']) {
      const { status } = await send(
        await brokerWorld(),
        byId(operationId),
        bearer(`operator_${role}`),
      )
      statuses.set(role, status)
    }
    expect([...statuses].filter(([, status]) => status === 200).map(([role]) => role)).toEqual(
      allowed,
    )
    expect([...statuses.values()].every((status) => [200, 403].includes(status))).toBe(true)
  })

  test('a person without any role may do nothing', async () => {
    const world = await brokerWorld()
    const response = await send(world, byId('listLeases'), bearer('operator'))
    expect(JSON.parse(response.text)).toMatchObject({ status: 403, code: 'role_required' })
    expect(world.diary).toEqual(['audit refusal role_required'])
  })
})

describe('a task token', () => {
  test('sees its own task and leases; others are unknown to it, like those that do not exist', async () => {
    const world = await brokerWorld()
    const get = (path: string, token: string): request.Test =>
      request(world.server).get(path).set(bearer(token))
    expect((await get('/v1/leases/lea_1', 'task_tsk_1')).status).toBe(200)
    const foreign = await get('/v1/leases/lea_1', 'task_tsk_2')
    const absent = await get('/v1/leases/lea_9', 'task_tsk_2')
    expect(foreign.body).toMatchObject({ status: 404, code: 'lease_unknown' })
    expect({ ...(foreign.body as object), requestId: '' }).toEqual({
      ...(absent.body as object),
      requestId: '',
    })
    expect((await get('/v1/tasks/tsk_1', 'task_tsk_2')).body).toMatchObject({
      status: 404,
      code: 'task_unknown',
    })
  })

  test('cannot revoke a lease or close a task of another', async () => {
    const world = await brokerWorld()
    const revoke = await request(world.server).delete('/v1/leases/lea_1').set(bearer('task_tsk_2'))
    expect(revoke.body).toMatchObject({ code: 'lease_unknown' })
    const close = await request(world.server)
      .post('/v1/tasks/tsk_1/close')
      .set(bearer('task_tsk_2'))
    expect(close.body).toMatchObject({ code: 'task_unknown' })
    expect(world.diary).toEqual([])
  })

  test('lists the leases of its own task, whatever it asks for', async () => {
    const world = await brokerWorld()
    await request(world.server).get('/v1/leases?taskId=tsk_2').set(bearer('task_tsk_1'))
    await request(world.server)
      .get('/v1/leases?taskId=tsk_2&live=true&limit=5')
      .set(bearer('operator_auditor'))
    expect(world.filters).toEqual([
      { taskId: 'tsk_1', limit: 101 },
      { taskId: 'tsk_2', live: true, limit: 6 },
    ])
  })

  test('sees the templates of its environment, and neither policy nor provider document', async () => {
    const world = await brokerWorld()
    const names = async (token: string): Promise<unknown> => {
      const response = await request(world.server).get('/v1/templates').set(bearer(token))
      expect(response.text).not.toContain('canary')
      return (response.body as { templates: { name: string }[] }).templates.map(({ name }) => name)
    }
    expect(await names('task_tsk_1')).toEqual(['development'])
    expect(await names('operator_auditor')).toEqual(['development', 'production'])
  })
})

describe('G9 R115 a caller who is nobody here', () => {
  test('cannot tell an unknown agent from one that is not allowed', async () => {
    const answers = new Set<string>()
    const reasons: [ErrorCode, ConstructorParameters<typeof IdentityRefusal>[0]][] = [
      ['agent_unregistered', 'agent_unknown'],
      ['denied', 'agent_quarantined'],
      ['owner_inactive', 'owner_inactive'],
    ]
    for (const [code, reason] of reasons) {
      const cause = new IdentityRefusal(reason, 'codex')
      const world = await brokerWorld({
        verifiers: {
          workload: () =>
            Promise.reject(new MayflyError(code, 'this caller may not do this', { cause })),
          task: () => Promise.reject(new Error('not asked')),
          operator: () => Promise.reject(new Error('not asked')),
        },
      })
      const response = await request(world.server)
        .post('/v1/tasks')
        .set({ ...bearer('workload'), 'x-request-id': 'same' })
        .send(taskRequest)
      answers.add(response.text)
      expect(world.diary).toEqual([`audit refusal ${code}`])
      expect(world.lines().at(-1)).toMatchObject({ code, reason: `${reason}: codex` })
    }
    expect(answers.size).toBe(1)
    expect([...answers][0]).toContain('"code":"denied"')
  })

  test('a renewal by another workload than the one that opened the task finds no task', async () => {
    const other = { ...task, agent: 'another' }
    const world = await brokerWorld({
      tasks: { find: () => Promise.resolve(other), renew: () => Promise.reject(new Error()) },
    })
    const response = await request(world.server)
      .post('/v1/tasks/tsk_1/token')
      .set(bearer('workload'))
    expect(response.body).toMatchObject({ status: 404, code: 'task_unknown' })
  })
})
