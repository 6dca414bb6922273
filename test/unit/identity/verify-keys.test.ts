import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { Issuer, KeySource } from '@mayfly/core'
import { makeTokenVerifier, type TokenVerifierOptions } from '@mayfly/identity'
import type { OidcFault, OidcStandinKeys } from '@mayfly/standins'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'

import {
  AGENT_SUBJECT,
  issuerOf,
  refusal,
  startIssuerWorld,
  unauthenticated,
  type IssuerWorld,
} from './issuer-world.ts'

const unavailable = {
  code: 'issuer_unavailable',
  message: 'the keys of the token issuer cannot be read',
  reason: null,
}

let world: IssuerWorld
let keys: OidcStandinKeys
beforeAll(async () => {
  const first = await startIssuerWorld()
  keys = first.standin.exportKeys()
  await first.stop()
})
beforeEach(async () => {
  world = await startIssuerWorld({}, keys)
})
afterEach(() => world.stop())

/** Verifies new tokens, each of which needs a key: none of them was seen before. */
function makeVerify(options: Partial<TokenVerifierOptions> = {}) {
  const clock = { now: () => new Date() }
  const verifier = makeTokenVerifier({ clock, keysFailureRestSeconds: 0, ...options })
  return async (issuer: Issuer = world.issuer) =>
    (await verifier.verify(await world.token(), 'workload', [issuer])).subject
}

describe('R2 keys come from where the Issuer says', () => {
  test('by discovery, once for many tokens', async () => {
    const verify = makeVerify()
    await Promise.all([verify(), verify(), verify()])
    expect(await verify()).toBe(AGENT_SUBJECT)
    expect(world.standin.requests()).toEqual(['/.well-known/openid-configuration', '/jwks'])
  })

  test('from a URL', async () => {
    const keys = { from: 'url', url: world.standin.jwksUrl.href } as const
    expect(await makeVerify()(issuerOf(world.standin, { keys }))).toBe(AGENT_SUBJECT)
    expect(world.standin.requests()).toEqual(['/jwks'])
  })

  test('from a file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'mayfly-keys-'))
    const path = join(folder, 'jwks.json')
    await writeFile(path, JSON.stringify(world.standin.jwks()))
    const keys = { from: 'file', path } as const
    expect(await makeVerify()(issuerOf(world.standin, { keys }))).toBe(AGENT_SUBJECT)
    await rm(folder, { recursive: true })
    expect(await refusal(makeVerify()(issuerOf(world.standin, { keys })))).toEqual(unavailable)
  })

  test.each<[string, KeySource]>([
    ['plain http', { from: 'url', url: 'http://issuer.test/jwks' }],
    ['a local file by URL', { from: 'url', url: 'file:///etc/passwd' }],
    ['a URL with a password', { from: 'url', url: 'https://a:b@issuer.test/jwks' }],
    ['no URL', { from: 'url', url: 'issuer.test' }],
  ])('R15 never over %s', async (_, keys) => {
    const attempt = makeVerify({ fetch: mustNotFetch })(issuerOf(world.standin, { keys }))
    expect(await refusal(attempt)).toEqual(unauthenticated('issuer_misconfigured'))
  })

  test('R15 nor by discovery of a plain http issuer', async () => {
    const issuer = issuerOf(world.standin, { issuer: 'http://issuer.test' })
    const token = await world.token({ iss: 'http://issuer.test' })
    const verifier = makeTokenVerifier({ clock: { now: () => new Date() }, fetch: mustNotFetch })
    const attempt = verifier.verify(token, 'workload', [issuer])
    expect(await refusal(attempt)).toEqual(unauthenticated('issuer_misconfigured'))
  })

  test('an issuer that is not listed is never asked for keys', async () => {
    const verifier = makeTokenVerifier({ clock: { now: () => new Date() }, fetch: mustNotFetch })
    const attempt = verifier.verify(await world.token(), 'workload', [])
    expect(await refusal(attempt)).toEqual(unauthenticated('issuer_unknown'))
  })
})

describe('R15 without fresh keys nothing is accepted', () => {
  test('keys in the cache outlast an issuer that is down', async () => {
    const verify = makeVerify()
    await verify()
    world.standin.fault('jwks', { kind: 'status', status: 500 })
    expect(await verify()).toBe(AGENT_SUBJECT)
  })

  test('stale keys are not used when fresh ones cannot be had', async () => {
    const verify = makeVerify({ keysMaxAgeSeconds: 0 })
    expect(await verify()).toBe(AGENT_SUBJECT)
    world.standin.fault('jwks', { kind: 'status', status: 500 })
    expect(await refusal(verify())).toEqual(unavailable)
    world.standin.fault('jwks', null)
    expect(await verify()).toBe(AGENT_SUBJECT)
  })

  test.each<OidcFault>([
    { kind: 'status', status: 503 },
    { kind: 'garbage' },
    { kind: 'oversized', bytes: 600 * 1024 },
    { kind: 'slow', milliseconds: 3_000 },
    { kind: 'redirect', location: '/jwks' },
  ])('an endpoint that answers with $kind gives no keys', async (fault) => {
    for (const endpoint of ['discovery', 'jwks'] as const) {
      world.standin.fault(endpoint, fault)
      expect(await refusal(makeVerify({ keysTimeoutSeconds: 0.2 })())).toEqual(unavailable)
      world.standin.fault(endpoint, null)
    }
  })

  test('the refusal can be retried, and says when', async () => {
    world.standin.fault('jwks', { kind: 'status', status: 503 })
    await expect(makeVerify({ keysFailureRestSeconds: 5 })()).rejects.toMatchObject({
      retryable: true,
      retryAfterSeconds: 5,
    })
  })

  test('a failing issuer is left alone for a while', async () => {
    let now = new Date()
    const verify = makeVerify({ keysFailureRestSeconds: 5, clock: { now: () => now } })
    world.standin.fault('discovery', { kind: 'status', status: 503 })
    for (let n = 0; n < 5; n += 1) expect(await refusal(verify())).toEqual(unavailable)
    expect(world.standin.requests()).toHaveLength(1)
    world.standin.fault('discovery', null)
    now = new Date(now.getTime() + 5_000)
    expect(await verify()).toBe(AGENT_SUBJECT)
  })

  test.each([
    ['for another issuer', { issuer: 'https://other.test', jwks_uri: 'https://other.test/jwks' }],
    ['that sends us to plain http', { jwks_uri: 'http://internal.test/jwks' }],
    ['that sends us to this machine', { jwks_uri: 'http://127.0.0.1:1/jwks' }],
    ['without a key URL', {}],
  ])('a discovery document %s is not followed', async (_, document) => {
    const issuer = issuerOf(world.standin, { issuer: 'https://issuer.test' })
    const asked: string[] = []
    const verifier = makeTokenVerifier({
      clock: { now: () => new Date() },
      fetch: (input) => {
        asked.push(new Request(input).url)
        return Promise.resolve(Response.json({ issuer: 'https://issuer.test', ...document }))
      },
    })
    const token = await world.token({ iss: 'https://issuer.test' })
    expect(await refusal(verifier.verify(token, 'workload', [issuer]))).toEqual(unavailable)
    expect(asked).toEqual(['https://issuer.test/.well-known/openid-configuration'])
  })
})

describe('rotation', () => {
  test('a new key is picked up when the first token signed with it arrives', async () => {
    const verify = makeVerify({ keysCooldownSeconds: 0 })
    await verify()
    await world.standin.rotate()
    expect(await verify()).toBe(AGENT_SUBJECT)
    expect(world.standin.requests().filter((path) => path === '/jwks')).toHaveLength(2)
  })

  test('R15 tokens with made-up key ids cause one look at the keys, not one each', async () => {
    const keys = { from: 'url', url: world.standin.jwksUrl.href } as const
    const issuer = issuerOf(world.standin, { keys })
    for (const kid of ['a', 'b', 'c']) {
      const attempt = world.verifier.verify(await world.signed({ kid }), 'workload', [issuer])
      expect(await refusal(attempt)).toEqual(unauthenticated('key_unknown'))
    }
    expect(world.standin.requests()).toEqual(['/jwks'])
  })

  test('a key that is no longer published stops verifying when the keys are read again', async () => {
    const verifier = makeTokenVerifier({ clock: { now: () => new Date() }, keysMaxAgeSeconds: 0 })
    const token = await world.token()
    await world.standin.rotate()
    world.standin.retire()
    const attempt = verifier.verify(token, 'workload', [world.issuer])
    expect(await refusal(attempt)).toEqual(unauthenticated('key_unknown'))
  })

  test('keys survive a new policy set in which their Issuer is the same', async () => {
    const verify = makeVerify()
    await verify(issuerOf(world.standin))
    await verify(issuerOf(world.standin, { claims: { ref: 'string' } }))
    expect(world.standin.requests().filter((path) => path === '/jwks')).toHaveLength(1)
    await verify(issuerOf(world.standin, { name: 'renamed' }))
    expect(world.standin.requests().filter((path) => path === '/jwks')).toHaveLength(2)
  })

  test('a key set that holds a private key is of no use', async () => {
    const keys = { from: 'file', path: 'private' } as const
    const privateKeys = Object.values(world.standin.exportKeys()).flat()
    const verify = makeVerify({
      readFile: () => Promise.resolve(JSON.stringify({ keys: privateKeys })),
    })
    const attempt = verify(issuerOf(world.standin, { keys }))
    expect(await refusal(attempt)).toEqual(unauthenticated('key_unusable'))
  })
})

function mustNotFetch(): Promise<Response> {
  throw new Error('nothing may be fetched here')
}
