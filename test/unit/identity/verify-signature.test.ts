import { afterAll, beforeAll, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { exportSPKI, generateKeyPair, importJWK, SignJWT, UnsecuredJWT, type CryptoKey } from 'jose'

import {
  AGENT_SUBJECT,
  AUDIENCE,
  issuerOf,
  privateKey,
  refusal,
  startIssuerWorld,
  unauthenticated,
  type IssuerWorld,
} from './issuer-world.ts'

let world: IssuerWorld
beforeAll(async () => {
  world = await startIssuerWorld()
})
afterAll(() => world.stop())

const verify = (token: string) => world.verifier.verify(token, 'workload', [world.issuer])
const base64url = (text: string): string => Buffer.from(text).toString('base64url')

test.each([
  ['nothing', '', 'token_missing'],
  ['words', 'let me in', 'token_malformed'],
  ['two parts', 'a.b', 'token_malformed'],
  ['five parts', 'a.b.c.d.e', 'token_malformed'],
  ['parts that are not JSON', `${base64url('x')}.${base64url('y')}.zzzz`, 'token_malformed'],
  ['a list for a header', `${base64url('[]')}.${base64url('{}')}.zzzz`, 'token_malformed'],
  ['20 KiB', 'a'.repeat(20 * 1024), 'token_oversized'],
])('%s is not a token', async (_, token, reason) => {
  expect(await refusal(verify(token))).toEqual(unauthenticated(reason))
})

test('R3 an unsigned token is refused', async () => {
  const token = new UnsecuredJWT({ iss: world.standin.issuer, sub: AGENT_SUBJECT, aud: AUDIENCE })
    .setIssuedAt()
    .setExpirationTime('5m')
    .encode()
  expect(await refusal(verify(token))).toEqual(unauthenticated('algorithm_not_accepted'))
})

test("R3 a token signed by HS256 with the issuer's public key as the secret is refused", async () => {
  const [publicJwk] = world.standin.jwks().keys
  if (!publicJwk) throw new Error('no key is published')
  const publicKey = (await importJWK(publicJwk, 'ES256', { extractable: true })) as CryptoKey
  for (const secret of [await exportSPKI(publicKey), JSON.stringify(publicJwk)]) {
    const token = await new SignJWT({
      iss: world.standin.issuer,
      sub: AGENT_SUBJECT,
      aud: AUDIENCE,
    })
      .setProtectedHeader({ alg: 'HS256', kid: privateKey(world.standin).kid ?? '' })
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(Buffer.from(secret))
    expect(await refusal(verify(token))).toEqual(unauthenticated('algorithm_not_accepted'))
  }
})

test('R3 an algorithm that the issuer publishes a key for, but that is not listed, is refused', async () => {
  const token = await world.standin.issue(
    { sub: AGENT_SUBJECT, aud: AUDIENCE },
    { algorithm: 'RS256' },
  )
  expect(await refusal(verify(token))).toEqual(unauthenticated('algorithm_not_accepted'))
})

test.each([
  ['no algorithm', []],
  ['HS256', ['HS256']],
  ['none', ['none', 'ES256']],
])('R3 an issuer configured with %s is not trusted at all', async (_, algorithms) => {
  const issuer = issuerOf(world.standin, { algorithms })
  const attempt = world.verifier.verify(await world.token(), 'workload', [issuer])
  expect(await refusal(attempt)).toEqual(unauthenticated('issuer_misconfigured'))
})

test('a key of somebody else under a published key id does not verify', async () => {
  const { privateKey: stranger } = await generateKeyPair('ES256')
  const token = await new SignJWT({ iss: world.standin.issuer, sub: AGENT_SUBJECT, aud: AUDIENCE })
    .setProtectedHeader({ alg: 'ES256', kid: privateKey(world.standin).kid ?? '' })
    .setIssuedAt()
    .setExpirationTime('5m')
    .sign(stranger)
  expect(await refusal(verify(token))).toEqual(unauthenticated('signature_invalid'))
})

test('R2 a token that brings or points to its own key is refused, even well signed', async () => {
  const headers = {
    jku: world.standin.jwksUrl.href,
    x5u: world.standin.jwksUrl.href,
    jwk: privateKey(world.standin),
    x5c: ['bm90IGEgY2VydGlmaWNhdGU='],
  }
  for (const [name, value] of Object.entries(headers)) {
    const token = await world.signed({ [name]: value })
    expect(await refusal(verify(token))).toEqual(unauthenticated('header_forbidden'))
  }
})

test('a token with a critical extension is refused', async () => {
  const token = await world.signed({ crit: ['urn:test'], 'urn:test': 1 })
  expect(await refusal(verify(token))).toEqual(unauthenticated('header_forbidden'))
})

test.each(['JWT', 'jwt', 'JOSE', 'at+jwt', 'application/at+jwt', undefined])(
  'a token of type %s is a workload token',
  async (typ) => {
    expect((await verify(await world.signed({ typ }))).subject).toBe(AGENT_SUBJECT)
  },
)

test.each(['secevent+jwt', 'txntoken+jwt', 'dpop+jwt', 'logout+jwt', 'x/jwt', '', 7])(
  'a token of type %j is not a workload token, however well signed',
  async (typ) => {
    const token = await world.signed({ typ })
    expect(await refusal(verify(token))).toEqual(unauthenticated('type_not_accepted'))
  },
)

test('any change of a single character makes a good token a bad one', async () => {
  const token = await world.token()
  const place = fc.nat({ max: token.length - 1 })
  const characters = Array.from(
    'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n\0é',
  )
  const character = fc.constantFrom(...characters)
  await fc.assert(
    fc.asyncProperty(place, character, async (at, other) => {
      fc.pre(token[at] !== other)
      const changed = token.slice(0, at) + other + token.slice(at + 1)
      expect((await refusal(verify(changed))).code).toBe('unauthenticated')
    }),
    { numRuns: 500 },
  )
})

test('the spare bits of the last character cannot make a second form of the same token', async () => {
  const token = await world.token()
  const last = token.charCodeAt(token.length - 1)
  const twin = token.slice(0, -1) + String.fromCharCode(last + 1)
  const signature = (text: string) => Buffer.from(text.split('.')[2] ?? '', 'base64url')
  expect(signature(twin)).toEqual(signature(token))
  expect(await refusal(verify(twin))).toEqual(unauthenticated('token_malformed'))
})
