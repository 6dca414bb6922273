import { makeTokenVerifier } from '@mayfly/identity'
import type { OidcStandinKeys } from '@mayfly/standins'
import { afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'

import {
  AGENT_SUBJECT,
  issuerOf,
  refusal,
  startIssuerWorld,
  unauthenticated,
  type IssuerWorld,
} from './issuer-world.ts'

let world: IssuerWorld
let keys: OidcStandinKeys
beforeAll(async () => {
  const first = await startIssuerWorld()
  keys = first.standin.exportKeys()
  await first.stop()
})
let now: Date
beforeEach(async () => {
  now = new Date()
  // Keys are always stale, so that every signature check shows as a request.
  world = await startIssuerWorld({ clock: { now: () => now }, keysMaxAgeSeconds: 0 }, keys)
})
afterEach(() => world.stop())

const checks = (): number => world.standin.requests().filter((path) => path === '/jwks').length
const after = (seconds: number): void => {
  now = new Date(now.getTime() + seconds * 1000)
}

test('a token is checked once, until it expires', async () => {
  const token = await world.token()
  const first = await world.verifier.verify(token, 'workload', [world.issuer])
  expect(await world.verifier.verify(token, 'workload', [world.issuer])).toBe(first)
  expect(await world.verifier.verify(token, 'workload', [issuerOf(world.standin)])).toBe(first)
  expect(checks()).toBe(1)
  after(301)
  const attempt = world.verifier.verify(token, 'workload', [world.issuer])
  expect(await refusal(attempt)).toEqual(unauthenticated('expired'))
})

test('R4 a remembered token still gets too old before it expires', async () => {
  const issuer = issuerOf(world.standin, { maxTokenAgeSeconds: 60 })
  const token = await world.token()
  await world.verifier.verify(token, 'workload', [issuer])
  after(66)
  const attempt = world.verifier.verify(token, 'workload', [issuer])
  expect(await refusal(attempt)).toEqual(unauthenticated('too_old'))
})

test('R13 a remembered token is still refused on the routes of the other class', async () => {
  const token = await world.token()
  await world.verifier.verify(token, 'workload', [world.issuer])
  const attempt = world.verifier.verify(token, 'operator', [world.issuer])
  expect(await refusal(attempt)).toEqual(unauthenticated('class_wrong'))
})

test('a changed Issuer meets its tokens anew, and a removed one none at all', async () => {
  const token = await world.token()
  await world.verifier.verify(token, 'workload', [world.issuer])
  const stricter = issuerOf(world.standin, { requiredClaims: { event_name: 'push' } })
  const attempt = world.verifier.verify(token, 'workload', [stricter])
  expect(await refusal(attempt)).toEqual(unauthenticated('claim_wrong'))
  const removed = world.verifier.verify(token, 'workload', [])
  expect(await refusal(removed)).toEqual(unauthenticated('issuer_unknown'))
})

test('another signature over the same claims is another token', async () => {
  const token = await world.token()
  await world.verifier.verify(token, 'workload', [world.issuer])
  const [header = '', payload = ''] = token.split('.')
  const forged = `${header}.${payload}.${Buffer.alloc(64, 1).toString('base64url')}`
  const attempt = world.verifier.verify(forged, 'workload', [world.issuer])
  expect(await refusal(attempt)).toEqual(unauthenticated('signature_invalid'))
})

test('a refusal is not remembered', async () => {
  world.standin.fault('jwks', { kind: 'status', status: 500 })
  const token = await world.token()
  const verifier = makeTokenVerifier({ clock: { now: () => now }, keysFailureRestSeconds: 0 })
  const attempt = verifier.verify(token, 'workload', [world.issuer])
  expect((await refusal(attempt)).code).toBe('issuer_unavailable')
  world.standin.fault('jwks', null)
  expect(await verifier.verify(token, 'workload', [world.issuer])).toMatchObject({
    subject: AGENT_SUBJECT,
  })
})

test('only so many tokens are remembered, those used last', async () => {
  const verifier = makeTokenVerifier({
    clock: { now: () => now },
    keysMaxAgeSeconds: 0,
    maxRemembered: 2,
  })
  const [a, b, c] = await Promise.all([world.token(), world.token(), world.token()])
  for (const token of [a, b, a, c, a]) await verifier.verify(token, 'workload', [world.issuer])
  expect(checks()).toBe(3)
  await verifier.verify(b, 'workload', [world.issuer])
  expect(checks()).toBe(4)
})
