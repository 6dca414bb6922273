import { createHash } from 'node:crypto'

import { describe, expect, test } from '@jest/globals'
import { makeReportLeak, type Lease } from '@mayfly/core'
import request from 'supertest'

import { bearer, brokerWorld, canary, lease, noon, type BrokerWorld } from './broker-world.ts'

const hash = (encoding: 'hex' | 'base64' | 'base64url'): string =>
  createHash('sha256').update(canary).digest(encoding)

const RESPONDER = bearer('operator_responder')

async function world(): Promise<{ world: BrokerWorld; looked: string[] }> {
  const looked: string[] = []
  const dead: Lease = { ...lease, state: 'revoked' }
  const reportLeak = makeReportLeak({
    history: {
      withFingerprint: (fingerprint) => {
        looked.push(fingerprint)
        return Promise.resolve(fingerprint === hash('base64') ? [dead] : [])
      },
      of: () =>
        Promise.resolve({
          decision: {
            id: 'dec_1',
            decidedAt: noon,
            policies: ['own-repo'],
            policyDigest: 'd',
            policySetVersion: 3,
          },
          events: [],
        }),
    },
    tasks: { find: () => Promise.resolve(null) },
    endLease: () => Promise.resolve(lease),
    audit: { record: () => Promise.resolve() },
    report: () => undefined,
  })
  return { world: await brokerWorld({ reportLeak }), looked }
}

const post = (server: BrokerWorld['server'], body: unknown, headers = RESPONDER): request.Test =>
  request(server)
    .post('/v1/leaks')
    .set(headers)
    .send(body as object)

describe('POST /v1/leaks', () => {
  test('finds a lease by the credential, or by its hash in any spelling', async () => {
    const { world: broker, looked } = await world()
    const bodies = [
      { credential: canary },
      { credential: `  ${canary}\n` },
      { sha256: hash('hex') },
      { sha256: hash('hex').toUpperCase() },
      { sha256: hash('base64') },
      { sha256: hash('base64url') },
      { sha256: hash('base64').replace('=', '') },
    ]
    for (const body of bodies) {
      const answer = await post(broker.server, body)
      expect({ status: answer.status, body: answer.body as unknown }).toMatchObject({
        status: 200,
        body: { found: true, leases: [{ outcome: 'dead_before', lease: { id: 'lea_1' } }] },
      })
    }
    expect(new Set(looked)).toEqual(new Set([hash('base64')]))
  })

  test('says so when it never issued the credential', async () => {
    const { world: broker } = await world()
    const answer = await post(broker.server, { credential: 'somebody else’s' })
    expect({ status: answer.status, body: answer.body as unknown }).toEqual({
      status: 200,
      body: { found: false, leases: [] },
    })
  })

  test.each([
    ['nothing', {}, 400, 'invalid_request'],
    ['an empty credential', { credential: '' }, 400, 'invalid_request'],
    ['white space', { credential: ' \n\t ' }, 400, 'invalid_request'],
    ['both', { credential: canary, sha256: hash('hex') }, 400, 'invalid_request'],
    ['an unknown field', { credential: canary, leaseId: 'lea_1' }, 400, 'invalid_request'],
    ['a field named by the credential', { [canary]: 1 }, 400, 'invalid_request'],
    ['a list', [canary], 400, 'invalid_request'],
    ['half a hash', { sha256: hash('hex').slice(1) }, 400, 'invalid_request'],
    ['no hash', { sha256: canary }, 400, 'invalid_request'],
    ['a number', { credential: 1 }, 400, 'invalid_request'],
    ['a long one', { credential: canary.repeat(200) }, 413, 'payload_too_large'],
    ['a huge one', { credential: canary.repeat(2000) }, 413, 'payload_too_large'],
  ])('refuses %s, and repeats nothing of it', async (_name, body, status, code) => {
    const { world: broker, looked } = await world()
    const response = await post(broker.server, body)
    expect(JSON.parse(response.text)).toMatchObject({ status, code })
    expect(response.text).not.toContain('canary')
    expect(broker.log()).not.toContain('canary')
    expect(looked).toEqual([])
  })

  test('is for responders: neither agents nor other operators may ask', async () => {
    const callers: [string, number, string][] = [
      ['workload', 401, 'unauthenticated'],
      ['task_tsk_1', 401, 'unauthenticated'],
      ['operator_platform_approver_auditor', 403, 'role_required'],
      ['operator', 403, 'role_required'],
    ]
    for (const [token, status, code] of callers) {
      const { world: broker, looked } = await world()
      const response = await post(broker.server, { credential: canary }, bearer(token))
      expect(JSON.parse(response.text)).toMatchObject({ status, code })
      expect(looked).toEqual([])
    }
  })

  test('is limited per caller', async () => {
    const { world: broker } = await world()
    const statuses = new Set<number>()
    for (let count = 0; count < 60; count += 1) {
      statuses.add((await post(broker.server, { sha256: hash('hex') })).status)
    }
    expect(statuses).toEqual(new Set([200]))
    const limited = await post(broker.server, { sha256: hash('hex') })
    expect(JSON.parse(limited.text)).toMatchObject({ status: 429, code: 'rate_limited' })
    expect(Number(limited.headers['retry-after'])).toBeGreaterThan(0)
    const others = await request(broker.server).get('/v1/leases').set(RESPONDER)
    expect(others.status).toBe(200)
  })
})
