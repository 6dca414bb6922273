import type { Issuer } from '@mayfly/core'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { importJWK, SignJWT, type JWTPayload } from 'jose'

import {
  AUDIENCE,
  issuerOf,
  refusal,
  startIssuerWorld,
  unauthenticated,
  type IssuerWorld,
} from './issuer-world.ts'

const AGENT = 'spiffe://acme.example/ws/17/agent/claude-code'

let world: IssuerWorld
let other: IssuerWorld
let trustDomain: Issuer
beforeAll(async () => {
  world = await startIssuerWorld()
  other = await startIssuerWorld()
  trustDomain = domain(world, 'acme.example')
})
afterAll(() => Promise.all([world.stop(), other.stop()]))

function domain(of: IssuerWorld, name: string, more: Partial<Issuer> = {}): Issuer {
  return issuerOf(of.standin, {
    type: 'spiffe',
    name,
    trustDomain: name,
    keys: { from: 'url', url: of.standin.spiffeBundleUrl.href },
    ...more,
  })
}

const verify = (token: string, issuers = [trustDomain]) =>
  world.verifier.verify(token, 'workload', issuers)

/** Signed with the bundle's real key, but written by hand. */
async function svid(claims: JWTPayload, header: object = {}): Promise<string> {
  const keys = Object.values(world.standin.exportKeys()).flat()
  const key = keys.find(({ use }) => use === 'jwt-svid')
  if (!key) throw new Error('the stand-in has no JWT-SVID key')
  const protectedHeader = { alg: 'ES256', kid: key.kid ?? '', ...header }
  const now = Math.floor(Date.now() / 1000)
  return new SignJWT({ sub: AGENT, aud: AUDIENCE, exp: now + 300, ...claims })
    .setProtectedHeader(protectedHeader)
    .sign(await importJWK(key, 'ES256'))
}

test('R5 a JWT-SVID is verified with a raw SPIRE bundle', async () => {
  const token = await world.standin.issueSvid(AGENT, AUDIENCE)
  expect(await verify(token)).toMatchObject({ issuer: 'acme.example', subject: AGENT })
})

test('a JWT-SVID needs no time of issue, as long as it does not live long', async () => {
  expect(await verify(await svid({}))).toMatchObject({ subject: AGENT, issuedAt: null })
  const long = await svid({ exp: Math.floor(Date.now() / 1000) + 3600 })
  expect(await refusal(verify(long))).toEqual(unauthenticated('too_old'))
})

test('an old JWT-SVID that says when it was issued is refused', async () => {
  const token = await svid({ iat: Math.floor(Date.now() / 1000) - 700 })
  expect(await refusal(verify(token))).toEqual(unauthenticated('too_old'))
})

test('R5 the bundle of another trust domain is never used', async () => {
  const forged = await other.standin.issueSvid(AGENT, AUDIENCE)
  const domains = [trustDomain, domain(other, 'other.example')]
  expect(await refusal(verify(forged, domains))).toEqual(unauthenticated('key_unknown'))
})

test('R5 a key that is not for JWT-SVIDs does not sign one', async () => {
  const authority = world.standin.spiffeBundle().keys.find(({ use }) => use === 'x509-svid')
  const token = await world.standin.issueSvid(AGENT, AUDIENCE, { kid: authority?.kid ?? '' })
  expect(await refusal(verify(token))).toEqual(unauthenticated('key_unknown'))
})

test('R5 the trust domain decides, whatever issuer the token names', async () => {
  const token = await world.standin.issue({ sub: AGENT, aud: AUDIENCE })
  const attempt = verify(token, [world.issuer, trustDomain])
  expect(await refusal(attempt)).toEqual(unauthenticated('key_unknown'))
})

test.each(['JWT', 'JOSE', undefined])('a JWT-SVID may be of type %s', async (typ) => {
  expect((await verify(await svid({}, { typ }))).subject).toBe(AGENT)
})

test.each(['at+jwt', 'wit+jwt'])('a JWT-SVID of type %s is refused', async (typ) => {
  const attempt = verify(await svid({}, { typ }))
  expect(await refusal(attempt)).toEqual(unauthenticated('type_not_accepted'))
})

test.each([
  ['EdDSA', { algorithms: ['EdDSA'] }],
  ['discovery', { keys: { from: 'discovery' } }],
  ['an upper-case trust domain', { trustDomain: 'Acme.example' }],
] as const)('R3 a trust domain with %s is not trusted at all', async (_, more) => {
  const issuer = domain(world, 'acme.example', more)
  const name = issuer.trustDomain ?? ''
  const attempt = verify(await svid({ sub: `spiffe://${name}/agent` }), [issuer])
  expect((await refusal(attempt)).code).toBe('unauthenticated')
})

describe('R5 a subject must be the SPIFFE ID of a workload', () => {
  test.each([
    'spiffe://acme.example/a',
    'spiffe://acme.example/a.b/c-d_e/F9',
    'spiffe://acme.example/...',
  ])('%s is one', async (sub) => {
    expect((await verify(await svid({ sub }))).subject).toBe(sub)
  })

  test.each([
    'spiffe://acme.example',
    'spiffe://acme.example/',
    'spiffe://acme.example/a/',
    'spiffe://acme.example//a',
    'spiffe://acme.example/a/../b',
    'spiffe://acme.example/a/./b',
    'spiffe://acme.example/a%2Fb',
    'spiffe://acme.example/ä',
    'spiffe://acme.example/a b',
    'spiffe://acme.example/a?x=1',
    'spiffe://acme.example/a#x',
    'spiffe://acme.example:443/a',
    'spiffe://user@acme.example/a',
    'spiffe://ACME.example/a',
    'spiffe:///a',
    'SPIFFE://acme.example/a',
    'https://acme.example/a',
    'acme.example/a',
    `spiffe://acme.example/${'a'.repeat(2048)}`,
  ])('%s is not', async (sub) => {
    const attempt = verify(await svid({ sub }))
    expect(await refusal(attempt)).toEqual(unauthenticated('issuer_unknown'))
  })
})
