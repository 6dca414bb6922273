import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { Issuer, SecurityEvent } from '@mayfly/core'
import {
  makeSecurityEventVerifier,
  makeTokenVerifier,
  refusalOf,
  type SecurityEventVerifier,
} from '@mayfly/identity'
import { startOidcStandin, type IssueOptions, type OidcStandin } from '@mayfly/standins'

const CAEP = 'https://schemas.openid.net/secevent/caep/event-type/'
const AUDIENCE = 'https://mayfly.acme.example/events'
const email = { format: 'email', email: 'alice@acme.example' }

let oidc: OidcStandin
let verifier: SecurityEventVerifier
const clock = { now: () => new Date() }
beforeAll(async () => {
  oidc = await startOidcStandin({ issuers: ['idp', 'other'] })
  verifier = makeSecurityEventVerifier({ clock })
})
afterAll(() => oidc.stop())

const transmitter = (more: Partial<Issuer> = {}): Issuer => ({
  kind: 'Issuer',
  name: 'idp-events',
  type: 'oidc',
  tokenClass: 'events',
  environments: ['development'],
  issuer: oidc.named('idp').issuer,
  audience: AUDIENCE,
  algorithms: ['RS256', 'ES256'],
  keys: { from: 'discovery' },
  maxTokenAgeSeconds: 600,
  claims: {},
  requiredClaims: {},
  ...more,
})

type Claims = Readonly<Record<string, unknown>>

function set(claims: Claims = {}, options: IssueOptions = {}, issuer = 'idp'): Promise<string> {
  const body = {
    aud: AUDIENCE,
    exp: undefined,
    sub_id: email,
    events: { [`${CAEP}session-revoked`]: {} },
    ...claims,
  }
  return oidc.named(issuer).issue(body, { type: 'secevent+jwt', ...options })
}

const about = (event: string, payload: object): Claims => ({ events: { [event]: payload } })

async function verify(token: string, issuers = [transmitter()]): Promise<SecurityEvent> {
  return verifier.verify(token, issuers)
}

async function reasonFor(token: string, issuers = [transmitter()]): Promise<unknown> {
  const error: unknown = await verifier.verify(token, issuers).catch((thrown: unknown) => thrown)
  return refusalOf(error)?.reason ?? error
}

describe('R94 a security event token', () => {
  test('is what it says when its transmitter signed it', async () => {
    const iat = Math.floor(Date.now() / 1000)
    const issuer = transmitter()
    const token = await set({ iat, jti: 'one', txn: 'x' })
    expect(await verify(token, [issuer])).toEqual({
      issuer,
      jti: 'one',
      occurrence: { event: 'session-revoked' },
      subject: email,
      occurredAt: new Date(iat * 1000),
      acceptableUntil: new Date((iat + 605) * 1000),
    })
  })

  test.each([
    [
      about(`${CAEP}credential-change`, { change_type: 'revoke', credential_type: 'password' }),
      {
        event: 'credential-change',
        changeType: 'revoke',
      },
    ],
    [
      about(`${CAEP}risk-level-change`, { current_level: 'HIGH', principal: 'USER' }),
      {
        event: 'risk-level-change',
        currentLevel: 'HIGH',
      },
    ],
    [
      about(`${CAEP}device-compliance-change`, {
        current_status: 'not-compliant',
        previous_status: 'compliant',
      }),
      { event: 'device-compliance-change', currentStatus: 'not-compliant' },
    ],
    [about(`${CAEP}session-established`, {}), { event: 'other' }],
    [
      about('https://schemas.openid.net/secevent/ssf/event-type/verification', { state: 'x' }),
      { event: 'verification' },
    ],
  ])('is read by its type: %j', async (claims, occurrence) => {
    expect((await verify(await set(claims))).occurrence).toEqual(occurrence)
  })

  test.each([
    [email],
    [{ format: 'iss_sub', iss: 'https://idp', sub: '1' }],
    [{ format: 'opaque', id: 'web-ci' }],
    [{ format: 'jwt_id', iss: 'https://idp', jti: '1' }],
  ])('is about %j', async (subject) => {
    expect((await verify(await set({ sub_id: subject }))).subject).toEqual(subject)
    const complex = { format: 'complex', user: subject, device: { format: 'opaque', id: 'x' } }
    expect((await verify(await set({ sub_id: complex }))).subject).toEqual(subject)
  })

  test('happened when it says so, and never in the future', async () => {
    const iat = Math.floor(Date.now() / 1000)
    const at = async (event_timestamp: number): Promise<Date> =>
      (await verify(await set({ iat, ...about(`${CAEP}session-revoked`, { event_timestamp }) })))
        .occurredAt
    expect(await at(iat - 60)).toEqual(new Date((iat - 60) * 1000))
    expect(await at(iat + 999_999)).toEqual(new Date(iat * 1000))
  })

  test('may be for several receivers, if this one is among them', async () => {
    expect((await verify(await set({ aud: ['https://x', AUDIENCE] }))).jti).not.toBe('')
  })
})

describe('R94 a token is refused', () => {
  const now = Math.floor(Date.now() / 1000)
  const none = about(`${CAEP}session-revoked`, {})
  const cases: [string, string, Claims, IssueOptions?][] = [
    ['of another type', 'type_not_accepted', {}, { type: 'JWT' }],
    ['of an access token’s type', 'type_not_accepted', {}, { type: 'at+jwt' }],
    ['of an unknown issuer', 'issuer_unknown', { iss: 'https://evil.example' }],
    ['without an issuer', 'issuer_unknown', { iss: undefined }],
    ['for somebody else', 'audience_wrong', { aud: 'https://other' }],
    ['for nobody', 'audience_wrong', { aud: undefined }],
    ['of a key that is not published', 'key_unknown', {}, { kid: 'unknown' }],
    ['with an expiry', 'claim_wrong', { exp: now + 600 }],
    ['with a subject at its top', 'claim_wrong', { sub: 'alice' }],
    ['without an id', 'claim_missing', { jti: undefined }],
    ['with an id that is none', 'claim_wrong', { jti: 'a\u0000b' }],
    ['without a time', 'claim_missing', { iat: undefined }],
    ['from long ago', 'too_old', { iat: now - 700 }],
    ['from the future', 'not_yet_valid', { iat: now + 60 }],
    ['without events', 'claim_missing', { events: undefined }],
    ['with no event', 'claim_wrong', { events: {} }],
    [
      'with two events',
      'claim_wrong',
      { events: { ...(none['events'] as object), 'https://x': {} } },
    ],
    ['with an event that is none', 'claim_wrong', { events: { [`${CAEP}session-revoked`]: 1 } }],
    ['without a subject', 'claim_wrong', { sub_id: undefined }],
    ['about a subject of another form', 'claim_wrong', { sub_id: { format: 'phone_number' } }],
    ['about nobody', 'claim_wrong', { sub_id: { format: 'email', email: '' } }],
    ['about control characters', 'claim_wrong', { sub_id: { format: 'opaque', id: 'a\n' } }],
    [
      'with a change that is none',
      'claim_wrong',
      about(`${CAEP}credential-change`, { change_type: 'stolen' }),
    ],
    ['with half a risk', 'claim_wrong', about(`${CAEP}risk-level-change`, {})],
  ]
  test.each(cases)('%s: %s', async (_name, reason, claims, options = {}) => {
    expect(await reasonFor(await set(claims, options))).toBe(reason)
  })

  test('signed by another issuer in the name of this one', async () => {
    const forged = await set({ iss: oidc.named('idp').issuer }, {}, 'other')
    expect(['key_unknown', 'signature_invalid']).toContain(await reasonFor(forged))
  })

  test('with another signature, or none', async () => {
    const [header, payload, signature = ''] = (await set()).split('.')
    const flipped = `${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`
    expect(await reasonFor(`${header ?? ''}.${payload ?? ''}.${flipped}`)).toBe('signature_invalid')
    const none = Buffer.from('{"alg":"none","typ":"secevent+jwt"}').toString('base64url')
    expect(await reasonFor(`${none}.${payload ?? ''}.`)).toBe('algorithm_not_accepted')
  })

  test('of an issuer that vouches for agents or people, not for events', async () => {
    for (const tokenClass of ['workload', 'operator'] as const) {
      expect(await reasonFor(await set(), [transmitter({ tokenClass })])).toBe('issuer_unknown')
    }
  })

  test.each([[''], ['x'], ['a.b.c'], ['x'.repeat(20_000)]])('that is none: %s', async (token) => {
    expect(typeof (await reasonFor(token))).toBe('string')
  })

  test('and none is accepted in place of an operator’s', async () => {
    const operators = makeTokenVerifier({ clock })
    const issuers = [
      transmitter(),
      transmitter({ name: 'people', tokenClass: 'operator' }),
      transmitter({ name: 'ci', tokenClass: 'workload', audience: 'ci' }),
    ]
    for (const options of [{ type: 'secevent+jwt' }, { type: 'JWT' }]) {
      const token = await set({}, options)
      const error: unknown = await operators
        .verify(token, 'operator', issuers)
        .catch((thrown: unknown) => thrown)
      expect(refusalOf(error)?.reason).toMatch(/type_not_accepted|claim_missing/)
    }
  })

  test('an operator’s own token still is one, beside a transmitter of the same issuer', async () => {
    const operators = makeTokenVerifier({ clock })
    const issuers = [transmitter(), transmitter({ name: 'people', tokenClass: 'operator' })]
    const token = await oidc.named('idp').issue({ aud: AUDIENCE, sub: 'dana' })
    expect(await operators.verify(token, 'operator', issuers)).toMatchObject({ issuer: 'people' })
  })
})

test('keys that cannot be had are nobody’s fault but the issuer’s', async () => {
  const unreachable = transmitter({ keys: { from: 'url', url: 'http://127.0.0.1:9/jwks' } })
  await expect(verifier.verify(await set(), [unreachable])).rejects.toMatchObject({
    code: 'issuer_unavailable',
    retryable: true,
  })
})
