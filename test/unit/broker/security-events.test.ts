import { describe, expect, test } from '@jest/globals'
import { MayflyError } from '@mayfly/core'
import { IdentityRefusal } from '@mayfly/identity'
import request from 'supertest'

import { securityEvent as event } from './incident-fakes.ts'
import { brokerWorld, type BrokerWorld } from './broker-world.ts'

const TYPE = 'application/secevent+jwt'

const push = ({ server }: BrokerWorld, body: string, type = TYPE): request.Test =>
  request(server).post('/v1/security-events').set('content-type', type).send(body)

const refusing = (reason: ConstructorParameters<typeof IdentityRefusal>[0]) =>
  brokerWorld({
    securityEvents: {
      verify: () =>
        Promise.reject(
          new MayflyError('unauthenticated', 'no', { cause: new IdentityRefusal(reason) }),
        ),
    },
  })

describe('R94 POST /v1/security-events', () => {
  test('answers 202 with nothing, first and again (RFC 8935 section 2.2)', async () => {
    const tokens: string[] = []
    const world = await brokerWorld({
      securityEvents: {
        verify: (token) => {
          tokens.push(token)
          return Promise.resolve(event)
        },
      },
    })
    for (const type of [TYPE, `${TYPE}; charset=utf-8`, TYPE.toUpperCase()]) {
      const response = await push(world, 'a.b.c', type)
      expect({ status: response.status, text: response.text }).toEqual({ status: 202, text: '' })
    }
    expect(tokens).toEqual(['a.b.c', 'a.b.c', 'a.b.c'])
    expect(world.diary).toEqual(Array.from({ length: 3 }, () => 'security event j1'))
  })

  test.each([
    ['token_malformed', 'invalid_request'],
    ['type_not_accepted', 'invalid_request'],
    ['claim_wrong', 'invalid_request'],
    ['too_old', 'invalid_request'],
    ['issuer_unknown', 'invalid_issuer'],
    ['audience_wrong', 'invalid_audience'],
    ['key_unknown', 'invalid_key'],
    ['algorithm_not_accepted', 'invalid_key'],
    ['signature_invalid', 'authentication_failed'],
  ] as const)('answers %s with %s, and does nothing', async (reason, err) => {
    const world = await refusing(reason)
    const response = await push(world, 'a.b.canary')
    expect(response.status).toBe(400)
    expect(response.headers['content-type']).toMatch(/^application\/json/)
    expect(response.body).toEqual({ err, description: expect.any(String) })
    expect(world.diary).toEqual(['audit refusal unauthenticated'])
    expect(world.log() + response.text).not.toContain('canary')
    expect(world.lines().at(-1)).toMatchObject({ code: 'unauthenticated', reason })
  })

  test.each([
    ['JSON', 'application/json', '{"a":1}'],
    ['a form', 'application/x-www-form-urlencoded', 'a=b'],
    ['another token', 'application/jwt', 'a.b.c'],
    ['too much', TYPE, 'x'.repeat(40_000)],
  ])('answers %s with invalid_request', async (_name, type, body) => {
    const world = await brokerWorld({ securityEvents: { verify: () => Promise.resolve(event) } })
    const response = await push(world, body, type)
    expect({ status: response.status, body: response.body as unknown }).toMatchObject({
      status: 400,
      body: { err: 'invalid_request' },
    })
    expect(world.diary).toEqual([])
  })

  test('asks for another delivery where the fault is not the token’s', async () => {
    const unavailable = (code: 'issuer_unavailable' | 'database_unavailable') =>
      Promise.reject(new MayflyError(code, 'later', { retryable: true }))
    const keys = await brokerWorld({
      securityEvents: { verify: () => unavailable('issuer_unavailable') },
    })
    expect((await push(keys, 'a.b.c')).status).toBe(503)
    const database = await brokerWorld({
      securityEvents: { verify: () => Promise.resolve(event) },
      receiveSecurityEvent: () => unavailable('database_unavailable'),
    })
    const response = await push(database, 'a.b.c')
    expect(JSON.parse(response.text)).toMatchObject({ status: 503, code: 'database_unavailable' })
  })
})
