import { startOidcStandin, type OidcStandin, type OidcStandinOptions } from '@mayfly/standins'
import { afterEach, expect, test } from '@jest/globals'
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  jwtVerify,
} from 'jose'

const running: OidcStandin[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((standin) => standin.stop()))
})

async function start(options: OidcStandinOptions = {}): Promise<OidcStandin> {
  const standin = await startOidcStandin(options)
  running.push(standin)
  return standin
}

const getJson = async (url: URL | string): Promise<unknown> => (await fetch(url)).json()

test.each(['ES256', 'RS256'] as const)(
  'an %s token verifies against discovery and JWKS',
  async (algorithm) => {
    const oidc = await start()
    const discovery = await getJson(`${oidc.issuer}/.well-known/openid-configuration`)
    expect(discovery).toMatchObject({ issuer: oidc.issuer, jwks_uri: oidc.jwksUrl.href })

    const token = await oidc.issue({ sub: 'job:1', aud: 'mayfly' }, { algorithm })
    const { payload } = await jwtVerify(token, createRemoteJWKSet(oidc.jwksUrl), {
      issuer: oidc.issuer,
      audience: 'mayfly',
      algorithms: [algorithm],
      requiredClaims: ['exp', 'iat', 'jti'],
    })
    expect(payload.sub).toBe('job:1')
  },
)

test('the key set may be cached and never shows a private part', async () => {
  const oidc = await start()
  const response = await fetch(oidc.jwksUrl)
  expect(response.headers.get('cache-control')).toBe('public, max-age=300')
  const text = JSON.stringify([await response.json(), oidc.spiffeBundle()])
  expect(text).not.toMatch(/"(d|p|q|dp|dq|qi)":/)
})

test('claims replace the standard ones, and undefined leaves one out', async () => {
  const now = new Date('2026-11-23T12:00:00Z')
  const oidc = await start({ clock: { now: () => now } })
  const token = await oidc.issue(
    { sub: 'a', aud: 'b', jti: undefined, iss: 'https://else.example' },
    { expiresInSeconds: 60, kid: 'unheard-of', type: 'at+jwt' },
  )
  const iat = now.getTime() / 1000
  expect(decodeJwt(token)).toEqual({
    iss: 'https://else.example',
    sub: 'a',
    aud: 'b',
    iat,
    exp: iat + 60,
  })
  expect(decodeProtectedHeader(token)).toEqual({ alg: 'ES256', kid: 'unheard-of', typ: 'at+jwt' })
  expect(oidc.issued()).toHaveLength(1)
})

test('a rotated key stays published until it is retired', async () => {
  const oidc = await start()
  const old = await oidc.issue({ sub: 'a' })
  await oidc.rotate()
  const fresh = await oidc.issue({ sub: 'a' })
  expect(decodeProtectedHeader(fresh).kid).not.toBe(decodeProtectedHeader(old).kid)
  await jwtVerify(old, createLocalJWKSet({ keys: [...oidc.jwks().keys] }))

  oidc.retire()
  const keys = createLocalJWKSet({ keys: [...oidc.jwks().keys] })
  await jwtVerify(fresh, keys)
  await expect(jwtVerify(old, keys)).rejects.toMatchObject({ code: 'ERR_JWKS_NO_MATCHING_KEY' })
})

test('exported keys make the same issuer again', async () => {
  const first = await start()
  const token = await first.issue({ sub: 'a' })
  const keys: unknown = JSON.parse(JSON.stringify(first.exportKeys()))
  const second = await start({ keys: keys as OidcStandinOptions['keys'] & object })
  await jwtVerify(token, createRemoteJWKSet(second.jwksUrl))
})

test('issuers on one port have keys of their own', async () => {
  const oidc = await start({ issuers: ['agents', 'people'] })
  const people = oidc.named('people')
  expect([oidc.issuer, people.issuer]).toEqual([
    `${oidc.url.origin}/agents`,
    `${oidc.url.origin}/people`,
  ])
  const token = await people.issue({ sub: 'ada' })
  await jwtVerify(token, createRemoteJWKSet(people.jwksUrl), { issuer: people.issuer })
  await expect(jwtVerify(token, createRemoteJWKSet(oidc.jwksUrl))).rejects.toMatchObject({
    code: 'ERR_JWKS_NO_MATCHING_KEY',
  })
})

test('R5 the SPIFFE bundle is as SPIRE serves it: jose finds no key in it until `use` is dropped', async () => {
  const oidc = await start()
  const svid = await oidc.issueSvid('spiffe://acme.example/ws/1', 'mayfly')
  expect(decodeJwt(svid)).not.toHaveProperty('iss')
  const bundle = (await getJson(oidc.spiffeBundleUrl)) as ReturnType<OidcStandin['spiffeBundle']>
  expect(bundle.keys.map((key) => key.use).sort()).toEqual(['jwt-svid', 'x509-svid'])

  await expect(
    jwtVerify(svid, createLocalJWKSet({ keys: [...bundle.keys] })),
  ).rejects.toMatchObject({
    code: 'ERR_JWKS_NO_MATCHING_KEY',
  })
  const keys = bundle.keys
    .filter((key) => key.use === 'jwt-svid')
    .map(({ use: _use, ...key }) => key)
  const { payload } = await jwtVerify(svid, createLocalJWKSet({ keys }), { audience: 'mayfly' })
  expect(payload.sub).toBe('spiffe://acme.example/ws/1')
})

test('another process can get a token', async () => {
  const oidc = await start()
  const ask = (body: unknown) =>
    fetch(`${oidc.issuer}/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  const response = await ask({
    sub: 'a',
    aud: 'b',
    claims: { repository: 'acme/web' },
    ttlSeconds: 9,
  })
  const { token } = (await response.json()) as { token: string }
  const claims = decodeJwt(token)
  expect(claims).toMatchObject({ sub: 'a', aud: 'b', repository: 'acme/web' })
  expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(9)
  expect((await ask({ sub: 'a', aud: 'b', admin: true })).status).toBe(400)
})

test('R15 endpoints fail on demand, and heal', async () => {
  const oidc = await start()
  oidc.fault('jwks', { kind: 'status', status: 500 })
  expect((await fetch(oidc.jwksUrl)).status).toBe(500)
  oidc.fault('jwks', { kind: 'oversized', bytes: 2_000_000 })
  expect((await (await fetch(oidc.jwksUrl)).text()).length).toBeGreaterThan(2_000_000)
  oidc.fault('jwks', { kind: 'garbage' })
  await expect(getJson(oidc.jwksUrl)).rejects.toMatchObject({ name: 'SyntaxError' })
  oidc.fault('jwks', { kind: 'slow', milliseconds: 5_000 })
  await expect(fetch(oidc.jwksUrl, { signal: AbortSignal.timeout(50) })).rejects.toMatchObject({
    name: 'TimeoutError',
  })
  const healed = await fetch(`${oidc.url.origin}/_standin/faults`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ endpoint: 'jwks', fault: null }),
  })
  expect(healed.status).toBe(204)
  expect(await getJson(oidc.jwksUrl)).toEqual(oidc.jwks())
  expect(oidc.requests().filter((path) => path === '/jwks')).toHaveLength(5)
})
