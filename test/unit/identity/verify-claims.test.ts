import { createHash } from 'node:crypto'

import type { ClaimType, Issuer } from '@mayfly/core'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'

import {
  AGENT_SUBJECT,
  AUDIENCE,
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

const seconds = (): number => Math.floor(Date.now() / 1000)

async function verify(claims: Record<string, unknown>, more: Partial<Issuer> = {}) {
  const token = await world.token(claims)
  return world.verifier.verify(token, 'workload', [{ ...world.issuer, ...more }])
}

test('R1 a good token gives the issuer by name, the subject, and only the listed claims', async () => {
  const iat = seconds()
  const claims = { repository_id: '42', run_attempt: 2, runner: true, teams: ['a', 'b'], ref: 'x' }
  const verified = await verify(
    { ...claims, jti: 'one', iat, exp: iat + 300 },
    {
      claims: {
        repository_id: 'string',
        run_attempt: 'integer',
        runner: 'boolean',
        teams: 'strings',
        environment: 'string',
      },
    },
  )
  expect(verified).toEqual({
    issuer: 'github-actions',
    subject: AGENT_SUBJECT,
    claims: { repository_id: '42', run_attempt: 2, runner: true, teams: ['a', 'b'] },
    tokenId: 'one',
    issuedAt: new Date(iat * 1000),
    expiresAt: new Date((iat + 300) * 1000),
  })
})

test('R8 a token without a jti is known by the hash of what was signed', async () => {
  const token = await world.token({ jti: undefined })
  const verified = await world.verifier.verify(token, 'workload', [world.issuer])
  const signedPart = token.slice(0, token.lastIndexOf('.'))
  expect(verified.tokenId).toBe(createHash('sha256').update(signedPart).digest('hex'))
})

test('R8 the second signature that anybody can write for an ECDSA token is no second token', async () => {
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
  const token = await world.token({ jti: undefined })
  const [header = '', payload = '', signature = ''] = token.split('.')
  const hex = Buffer.from(signature, 'base64url').toString('hex')
  const other = (order - BigInt(`0x${hex.slice(64)}`)).toString(16).padStart(64, '0')
  const twin = `${header}.${payload}.${Buffer.from(hex.slice(0, 64) + other, 'hex').toString('base64url')}`
  const verified = await world.verifier.verify(twin, 'workload', [world.issuer])
  expect(verified).toEqual(await world.verifier.verify(token, 'workload', [world.issuer]))
})

test.each([
  ['a wrong issuer', { iss: 'https://elsewhere.test' }, 'issuer_unknown'],
  ['no issuer', { iss: undefined }, 'issuer_unknown'],
  ['another audience', { aud: 'https://other.test' }, 'audience_wrong'],
  ['two audiences, ours among them', { aud: [AUDIENCE, 'https://b.test'] }, 'audience_wrong'],
  ['our audience twice', { aud: [AUDIENCE, AUDIENCE] }, 'audience_wrong'],
  ['no audience', { aud: undefined }, 'claim_missing'],
  ['no subject', { sub: undefined }, 'claim_missing'],
  ['an empty subject', { sub: '' }, 'claim_wrong'],
  ['a subject with a line break', { sub: 'a\nb' }, 'claim_wrong'],
  ['a subject that is no text', { sub: 7 }, 'claim_wrong'],
  ['no expiry', { exp: undefined }, 'claim_missing'],
  ['an expiry that is no number', { exp: 'tomorrow' }, 'claim_wrong'],
  ['an expiry beyond all dates', { exp: 1e300 }, 'claim_wrong'],
  ['no time of issue', { iat: undefined }, 'claim_missing'],
  ['a jti that is no text', { jti: { a: 1 } }, 'claim_wrong'],
])('R4 a token with %s is refused, and the caller is not told why', async (_, claims, reason) => {
  expect(await refusal(verify(claims))).toEqual(unauthenticated(reason))
})

test('a token for us alone is accepted when its audience is a list', async () => {
  expect((await verify({ aud: [AUDIENCE] })).subject).toBe(AGENT_SUBJECT)
})

describe('R4 time', () => {
  test.each([
    ['expired a second ago', () => ({ exp: seconds() - 1 }), 'expired'],
    ['expires now', () => ({ exp: seconds() }), 'expired'],
    ['was issued in the future', () => ({ iat: seconds() + 60 }), 'not_yet_valid'],
    ['is not valid yet', () => ({ nbf: seconds() + 60 }), 'not_yet_valid'],
    ['is older than the issuer allows', () => ({ iat: seconds() - 700 }), 'too_old'],
  ])('a token that %s is refused', async (_, claims, reason) => {
    expect(await refusal(verify(claims()))).toEqual(unauthenticated(reason))
  })

  test('an issuer whose clock runs a little ahead is tolerated', async () => {
    const ahead = seconds() + 3
    expect((await verify({ iat: ahead, nbf: ahead })).issuedAt).toEqual(new Date(ahead * 1000))
  })
})

describe('R2 claims', () => {
  test.each([
    ['is missing', {}, 'claim_wrong'],
    ['has another value', { event_name: 'pull_request_target' }, 'claim_wrong'],
    ['is a list that holds the value', { event_name: ['push'] }, 'claim_wrong'],
  ])('a token whose required claim %s is refused', async (_, claims, reason) => {
    const attempt = verify(claims, { requiredClaims: { event_name: 'push' } })
    expect(await refusal(attempt)).toEqual(unauthenticated(reason))
  })

  test('a required claim may be a number or a truth value', async () => {
    const requiredClaims = { organization_id: '7', verified: 'true' }
    const verified = await verify({ organization_id: 7, verified: true }, { requiredClaims })
    expect(verified.subject).toBe(AGENT_SUBJECT)
  })

  test('what every object inherits is not a claim', async () => {
    const attempt = verify({}, { requiredClaims: { constructor: 'x' } })
    expect(await refusal(attempt)).toEqual(unauthenticated('claim_wrong'))
    const claims = { toString: 'string' as const }
    expect((await verify({}, { claims })).claims).toEqual({})
  })

  test.each<[ClaimType, unknown]>([
    ['string', 42],
    ['integer', '42'],
    ['integer', 4.2],
    ['boolean', 'true'],
    ['strings', 'a'],
    ['strings', ['a', 1]],
  ])('a listed claim that is no %s (%j) makes the token unusable', async (type, value) => {
    const attempt = verify({ team: value }, { claims: { team: type } })
    expect(await refusal(attempt)).toEqual(unauthenticated('claim_wrong'))
  })
})
