import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'

import { describe, expect, test } from '@jest/globals'
import { MayflyError, Secret } from '@mayfly/core'
import request from 'supertest'

import { until } from '../../support/until.ts'
import { bearer, brokerWorld, canary, lease, leaseRequest, taskRequest } from './broker-world.ts'

describe('a credential', () => {
  test('G5 R29 goes out once, in a body that nobody keeps, and is then confirmed', async () => {
    const world = await brokerWorld()
    const response = await request(world.server)
      .post('/v1/leases')
      .set(bearer('task_tsk_1'))
      .send(leaseRequest)
    expect(response.status).toBe(201)
    expect(response.headers['cache-control']).toBe('no-store')
    expect(response.headers).not.toHaveProperty('etag')
    expect(response.body).toMatchObject({
      lease: { id: 'lea_1', state: 'active', deliveredAt: null },
      credential: { token: canary, user: 'x' },
    })
    await until(() => world.diary.includes('delivered lea_1'))
    expect(world.diary).toEqual(['issue branch', 'delivered lea_1'])
  })

  test('is revoked when the caller has gone before the response is written', async () => {
    let minted: () => void = () => undefined
    let aborted = false
    const mint = new Promise<void>((resolve) => {
      minted = resolve
    })
    let started = false
    const world = await brokerWorld({
      issueLease: async (_input, signal) => {
        started = true
        await mint
        aborted = signal.aborted
        return { lease, credential: { token: new Secret(canary) } }
      },
    })
    const body = JSON.stringify(leaseRequest)
    const { port } = world.server.address() as AddressInfo
    const socket = connect(port, '127.0.0.1')
    socket.write(
      `POST /v1/leases HTTP/1.1\r\nhost: x\r\nauthorization: Bearer task_tsk_1\r\ncontent-type: application/json\r\ncontent-length: ${String(body.length)}\r\n\r\n${body}`,
    )
    await until(() => started)
    socket.destroy()
    await until(() => world.lines().some(({ msg }) => msg === 'request'))
    minted()
    await until(() => world.diary.length > 0)
    expect(world.diary).toEqual(['end lea_1: undelivered'])
    expect(aborted).toBe(true)
    expect(world.lines().at(-1)).toMatchObject({ route: '/v1/leases', status: 499 })
  })

  test('that cannot be revoked at once is reported, without the credential', async () => {
    let minted: () => void = () => undefined
    const mint = new Promise<void>((resolve) => {
      minted = resolve
    })
    let started = false
    const world = await brokerWorld({
      issueLease: async () => {
        started = true
        await mint
        return { lease, credential: { token: new Secret(canary) } }
      },
      endLease: () => Promise.reject(new MayflyError('database_unavailable', 'no database')),
    })
    const sent = request(world.server)
      .post('/v1/leases')
      .set(bearer('task_tsk_1'))
      .send(leaseRequest)
    sent.end(() => undefined)
    await until(() => started)
    sent.abort()
    await until(() => world.lines().some(({ msg }) => msg === 'request'))
    minted()
    await until(() => world.log().includes('was not revoked at once'))
    expect(world.log()).not.toContain(canary)
  })

  test('a refusal delivers nothing', async () => {
    const world = await brokerWorld({
      issueLease: () => Promise.reject(new MayflyError('denied', 'no')),
    })
    await request(world.server).post('/v1/leases').set(bearer('task_tsk_1')).send(leaseRequest)
    expect(world.diary).toEqual([])
  })
})

describe('a lease on the wire', () => {
  test('shows its honest state, and nothing that belongs inside', async () => {
    const revoked = {
      ...lease,
      state: 'revoked' as const,
      endedAt: new Date('2026-11-23T12:05:00.000Z'),
      endReason: 'holder' as const,
      revokedAt: new Date('2026-11-23T12:05:00.840Z'),
      revocationProof: 'GitHub answered 401',
      revocationAttempts: 1,
      irrevocable: { reason: 'lost', diesAt: new Date('2026-11-23T13:00:00.000Z') },
    }
    const world = await brokerWorld({ endLease: () => Promise.resolve(revoked) })
    const response = await request(world.server)
      .delete('/v1/leases/lea_1')
      .set(bearer('task_tsk_1'))
    expect(response.body).toEqual({
      lease: {
        id: 'lea_1',
        taskId: 'tsk_1',
        agent: 'codex',
        template: 'branch',
        templateVersion: 2,
        provider: 'github',
        actions: ['repo.write'],
        parameters: { repository: 'acme/payments' },
        targets: ['github:repo:acme/payments'],
        state: 'revoked',
        createdAt: '2026-11-23T12:00:00.000Z',
        expiresAt: '2026-11-23T12:10:00.000Z',
        credentialExpiresAt: '2026-11-23T12:10:00.000Z',
        requestedTtlSeconds: 600,
        deliveredAt: null,
        endedAt: '2026-11-23T12:05:00.000Z',
        endReason: 'holder',
        revokedAt: '2026-11-23T12:05:00.840Z',
        revocationProof: 'GitHub answered 401',
        revocationAttempts: 1,
        revocationNote: null,
        irrevocable: { reason: 'lost', diesAt: '2026-11-23T13:00:00.000Z' },
        revocationLagMilliseconds: 840,
      },
    })
  })

  test('is ended by its holder or by an operator, and the row says by whom', async () => {
    const world = await brokerWorld()
    await request(world.server).delete('/v1/leases/lea_1').set(bearer('task_tsk_1'))
    await request(world.server).delete('/v1/leases/lea_1').set(bearer('operator_responder'))
    await request(world.server).post('/v1/tasks/tsk_1/close').set(bearer('task_tsk_1'))
    await request(world.server).post('/v1/tasks/tsk_1/close').set(bearer('operator_platform'))
    expect(world.diary).toEqual([
      'end lea_1: holder',
      'end lea_1: operator',
      'close tsk_1 by holder',
      'close tsk_1 by operator',
    ])
  })
})

describe('R26 an idempotency key', () => {
  test('stands for the caller and the body, in whatever order that was written', async () => {
    const world = await brokerWorld()
    const send = (path: string, token: string, body: object): request.Test =>
      request(world.server).post(path).set(bearer(token)).set('idempotency-key', 'k').send(body)
    const parameters = { b: 'x', a: 'y' }
    await send('/v1/leases', 'task_tsk_1', { ...leaseRequest, parameters })
    const { template, actions } = leaseRequest
    await send('/v1/leases', 'task_tsk_1', { parameters: { a: 'y', b: 'x' }, actions, template })
    await send('/v1/leases', 'task_tsk_1', { ...leaseRequest, ttlSeconds: 5 })
    await send('/v1/tasks', 'workload', taskRequest)
    const [first, reordered, other, task] = world.idempotency.map((entry) => entry?.requestSha256)
    expect(world.idempotency.map((entry) => entry?.key)).toEqual(['k', 'k', 'k', 'k'])
    expect(first).toMatch(/^[0-9a-f]{64}$/)
    expect(reordered).toBe(first)
    expect(new Set([first, other, task]).size).toBe(3)
  })

  test('may be left out', async () => {
    const world = await brokerWorld()
    await request(world.server).post('/v1/tasks').set(bearer('workload')).send(taskRequest)
    expect(world.idempotency).toEqual([null])
  })
})
