import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify, UnsecuredJWT } from 'jose'

import { refusal, startIssuerWorld, unauthenticated } from './issuer-world.ts'
import { BROKER, task, TaskTokenWorld, workload } from './task-token-world.ts'

test('a task token says whose task it is, and only the broker takes it', async () => {
  const world = new TaskTokenWorld()
  const broker = world.broker()
  const { token, expiresAt } = await broker.issue(task, workload)
  expect(expiresAt).toEqual(new Date('2026-11-23T12:15:00Z'))
  expect(await broker.verify(token.reveal())).toEqual({
    taskId: 'tsk_1',
    subject: 'github-actions#repo:acme/payments',
    agent: 'payments-claude',
    expiresAt,
  })
  const [key] = world.keys
  expect(decodeProtectedHeader(token.reveal())).toEqual({
    alg: 'ES256',
    kid: key?.kid,
    typ: 'txntoken+jwt',
  })
  const { jti, ...claims } = decodeJwt(token.reveal())
  expect(claims).toEqual({
    iss: BROKER,
    aud: BROKER,
    sub: 'github-actions#repo:acme/payments',
    act: { sub: 'payments-claude' },
    txn: 'tsk_1',
    req_wl: 'github-actions#repo:acme/payments',
    iat: Date.parse('2026-11-23T12:00:00Z') / 1000,
    exp: Date.parse('2026-11-23T12:15:00Z') / 1000,
  })
  expect(jti).toMatch(/^[\w-]{36}$/)
})

test('a task token does not print', async () => {
  const { token } = await new TaskTokenWorld().broker().issue(task, workload)
  expect(JSON.stringify({ token })).toBe('{"token":"[redacted]"}')
})

test('a task token ends with its task, and an ended task gets none', async () => {
  const broker = new TaskTokenWorld().broker()
  const notAfter = new Date('2026-11-23T12:02:30.900Z')
  const { expiresAt } = await broker.issue({ ...task, notAfter }, workload)
  expect(expiresAt).toEqual(new Date('2026-11-23T12:02:30Z'))
  const over = broker.issue({ ...task, notAfter: new Date('2026-11-23T12:00:00Z') }, workload)
  expect((await refusal(over)).code).toBe('task_closed')
})

test('nobody can configure task tokens that live longer than 15 minutes', async () => {
  const broker = new TaskTokenWorld().broker({ lifetimeSeconds: 86_400 })
  expect((await broker.issue(task, workload)).expiresAt).toEqual(new Date('2026-11-23T12:15:00Z'))
})

test('a task token is remembered until it expires, and no longer', async () => {
  const world = new TaskTokenWorld()
  const broker = world.broker({ keysMaxAgeSeconds: 0 })
  const { token } = await broker.issue(task, workload)
  await broker.verify(token.reveal())
  world.broken = true
  expect((await broker.verify(token.reveal())).taskId).toBe('tsk_1')
  world.broken = false
  world.after(900)
  expect(await refusal(broker.verify(token.reveal()))).toEqual(unauthenticated('expired'))
})

test.each([
  ['of another issuer', { iss: 'https://other.test' }, {}, 'issuer_wrong'],
  ['for another audience', { aud: 'https://other.test' }, {}, 'audience_wrong'],
  ['for two audiences', { aud: [BROKER, 'https://other.test'] }, {}, 'audience_wrong'],
  ['that has expired', { exp: 1_700_000_000 }, {}, 'expired'],
  ['that is too old', { iat: 1_700_000_000 }, {}, 'too_old'],
  ['from the future', { iat: 4_000_000_000, exp: 4_000_000_300 }, {}, 'not_yet_valid'],
  ['without an expiry', { exp: undefined }, {}, 'claim_missing'],
  ['without a subject', { sub: undefined }, {}, 'claim_missing'],
  ['without a task', { txn: undefined }, {}, 'claim_missing'],
  ['without an actor', { act: undefined }, {}, 'claim_missing'],
  ['whose actor has an actor', { act: { sub: 'x', act: { sub: 'y' } } }, {}, 'claim_wrong'],
  ['of type JWT', {}, { typ: 'JWT' }, 'type_not_accepted'],
  ['without a type', {}, { typ: undefined }, 'type_not_accepted'],
  ['with an unknown key id', {}, { kid: 'x' }, 'key_unknown'],
  ['with a key in its header', {}, { jwk: {} }, 'header_forbidden'],
])('a task token %s is refused', async (_, claims, header, reason) => {
  const world = new TaskTokenWorld()
  const token = await world.forge(claims, header)
  expect(await refusal(world.broker().verify(token))).toEqual(unauthenticated(reason))
})

test('an unsigned task token is refused', async () => {
  const token = new UnsecuredJWT({ txn: 'tsk_1' }).encode()
  const header = Buffer.from('{"alg":"none","typ":"txntoken+jwt"}').toString('base64url')
  const attempt = new TaskTokenWorld()
    .broker()
    .verify([header, ...token.split('.').slice(1)].join('.'))
  expect(await refusal(attempt)).toEqual(unauthenticated('algorithm_not_accepted'))
})

test("another broker's task token is refused", async () => {
  const { token } = await new TaskTokenWorld().broker().issue(task, workload)
  const attempt = new TaskTokenWorld().broker().verify(token.reveal())
  expect(await refusal(attempt)).toEqual(unauthenticated('key_unknown'))
})

test('any change of a single character makes a good task token a bad one', async () => {
  const broker = new TaskTokenWorld().broker()
  const token = (await broker.issue(task, workload)).token.reveal()
  const characters = Array.from(
    'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=',
  )
  await fc.assert(
    fc.asyncProperty(
      fc.nat({ max: token.length - 1 }),
      fc.constantFrom(...characters),
      async (at, other) => {
        fc.pre(token[at] !== other)
        const changed = token.slice(0, at) + other + token.slice(at + 1)
        expect((await refusal(broker.verify(changed))).code).toBe('unauthenticated')
      },
    ),
    { numRuns: 300 },
  )
})

test('a task token is no workload token, and a workload token no task token', async () => {
  const issuers = await startIssuerWorld()
  const broker = new TaskTokenWorld().broker()
  const attempt = broker.verify(await issuers.token())
  expect(await refusal(attempt)).toEqual(unauthenticated('type_not_accepted'))
  const { token } = await broker.issue(task, workload)
  const reverse = issuers.verifier.verify(token.reveal(), 'workload', [issuers.issuer])
  expect((await refusal(reverse)).code).toBe('unauthenticated')
  await issuers.stop()
})

test('a lost database refuses no remembered key, and is not mistaken for a bad token', async () => {
  const world = new TaskTokenWorld()
  const [first, second] = [world.broker(), world.broker()]
  const one = await first.issue(task, workload)
  await first.verify(one.token.reveal())
  const two = await first.issue(task, workload)
  world.broken = true
  expect((await first.verify(two.token.reveal())).taskId).toBe('tsk_1')
  await expect(second.verify(two.token.reveal())).rejects.toMatchObject({
    code: 'database_unavailable',
    retryable: true,
  })
})

test('anybody can verify a task token with the published keys, which hold no private part', async () => {
  const broker = new TaskTokenWorld().broker()
  const { token } = await broker.issue(task, workload)
  const jwks = await broker.jwks()
  expect(jwks.keys.map((key) => Object.keys(key).toSorted())).toEqual([
    ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'],
  ])
  const { payload } = await jwtVerify(token.reveal(), createLocalJWKSet(jwks), {
    currentDate: new Date('2026-11-23T12:00:00Z'),
  })
  expect(payload['txn']).toBe('tsk_1')
})
