import { inspect } from 'node:util'

import { MayflyError, MintError, Secret, type JsonObject } from '@mayfly/core'
import {
  githubScopeSchema,
  makeAppJwtSigner,
  makeGithubProvider,
  parseGithubSettings,
} from '@mayfly/providers'
import { describe, expect, test } from '@jest/globals'

const settings = {
  apiUrl: 'https://ghe.acme.example/api/v3',
  appId: 7,
  privateKey: 'file:/run/secrets/app.pem',
  installations: { Acme: 101 },
}

function codeOf(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    if (error instanceof MayflyError) return error.code
    throw error
  }
  return 'accepted'
}

describe('a GitHub connection', () => {
  test('is parsed once, with accounts in lower case', () => {
    expect(parseGithubSettings(settings)).toEqual({
      apiUrl: new URL('https://ghe.acme.example/api/v3'),
      appId: '7',
      privateKey: 'file:/run/secrets/app.pem',
      installations: new Map([['acme', 101]]),
    })
  })

  test("is github.com's unless told otherwise", () => {
    const { appId, privateKey, installations } = settings
    expect(parseGithubSettings({ appId, privateKey, installations }).apiUrl.href).toBe(
      'https://api.github.com/',
    )
  })

  test.each<[string, JsonObject]>([
    ['plain HTTP to another host', { apiUrl: 'http://ghe.acme.example' }],
    ['a host that only begins like loopback', { apiUrl: 'http://127.0.0.1.evil.example' }],
    ['another protocol', { apiUrl: 'file:///etc/passwd' }],
    ['a password in the URL', { apiUrl: 'https://user:password@ghe.acme.example' }],
    ['a query in the URL', { apiUrl: 'https://ghe.acme.example/?to=evil' }],
    ['no installation', { installations: {} }],
    ['an installation without an id', { installations: { acme: '101' } }],
    ['an unknown field', { secret: 'x' }],
    ['no App', { appId: '' }],
    ['the key itself instead of a reference', { privateKey: '-----BEGIN RSA PRIVATE KEY-----' }],
  ])('is refused with %s', (_name, change) => {
    expect(codeOf(() => parseGithubSettings({ ...settings, ...change }))).toBe('policy_set_invalid')
  })

  test('may be plain HTTP on loopback, where the sandbox lives', () => {
    const local = parseGithubSettings({ ...settings, apiUrl: 'http://127.0.0.1:4010' })
    expect(local.apiUrl.port).toBe('4010')
  })

  test('does not repeat a key that was pasted into it', () => {
    const pasted = { ...settings, privateKey: '-----BEGIN CANARY-----' }
    let error: unknown
    try {
      parseGithubSettings(pasted)
    } catch (thrown) {
      error = thrown
    }
    expect(error).toBeInstanceOf(MayflyError)
    expect(inspect(error, { depth: null, showHidden: true })).not.toContain('CANARY')
  })
})

describe('R64 a scope that could mean "all" to GitHub is refused before anything is sent', () => {
  const scope = { account: 'acme', repositories: ['payments'], permissions: { contents: 'read' } }
  const sent: unknown[] = []
  const provider = makeGithubProvider({
    settings: parseGithubSettings(settings),
    signAppJwt: () => Promise.resolve('jwt'),
    clock: { now: () => new Date() },
    timeoutMs: 1000,
    fetch: (...request) => {
      sent.push(request)
      return Promise.reject(new Error('nothing must be sent'))
    },
  })

  test.each<[string, JsonObject]>([
    ['no repositories at all', { account: 'acme', permissions: { contents: 'read' } }],
    ['an empty list of names', { ...scope, repositories: [] }],
    [
      'an empty list of ids',
      { account: 'acme', repositoryIds: [], permissions: scope.permissions },
    ],
    ['both names and ids', { ...scope, repositoryIds: [1] }],
    ['no permissions', { account: 'acme', repositories: ['payments'] }],
    ['empty permissions', { ...scope, permissions: {} }],
    ['a permission that GitHub does not have', { ...scope, permissions: { everything: 'read' } }],
    ['a level that the permission does not have', { ...scope, permissions: { contents: 'admin' } }],
    ['workflows for reading', { ...scope, permissions: { workflows: 'read' } }],
    ['a permission named like a method', { ...scope, permissions: { constructor: 'read' } }],
    ['a name with its owner', { ...scope, repositories: ['acme/payments'] }],
    ['a name that climbs', { ...scope, repositories: ['..'] }],
    ['a wildcard', { ...scope, repositories: ['*'] }],
    [
      'an id that is no id',
      { account: 'acme', repositoryIds: ['1e3'], permissions: scope.permissions },
    ],
    ['the id nought', { account: 'acme', repositoryIds: [0], permissions: scope.permissions }],
    [
      'an id with a fraction',
      { account: 'acme', repositoryIds: [1.5], permissions: scope.permissions },
    ],
    ['an account without an installation', { ...scope, account: 'evil' }],
    ['an account named like a method', { ...scope, account: 'constructor' }],
    ['an unknown field', { ...scope, branches: ['main'] }],
    [
      '501 repositories',
      {
        account: 'acme',
        repositoryIds: Array.from({ length: 501 }, (_, index) => index + 1),
        permissions: scope.permissions,
      },
    ],
  ])('%s', (_name, malformed) => {
    expect(codeOf(() => provider.prepare(malformed))).toBe('scope_invalid')
    expect(sent).toEqual([])
  })

  test('500 repositories are as many as GitHub takes', () => {
    const repositoryIds = Array.from({ length: 500 }, (_, index) => String(index + 1))
    const prepared = provider.prepare({ ...scope, repositories: undefined, repositoryIds } as never) // no undefined in Json
    expect(prepared.targets).toHaveLength(502)
  })

  test('the schema on its own says the same of a form, for templates to check', () => {
    expect(githubScopeSchema.safeParse(scope).success).toBe(true)
    expect(githubScopeSchema.safeParse({ ...scope, permissions: {} }).success).toBe(false)
  })

  test('a token lives an hour and some drift, whatever the lease is for, and has no handle before', () => {
    const prepared = provider.prepare(scope)
    expect([prepared.lifetimeSeconds(60), prepared.lifetimeSeconds(3600)]).toEqual([3720, 3720])
    expect(prepared.handleBeforeMint('lea_1')).toBe(null)
  })
})

describe("the App's key", () => {
  const canary = '-----BEGIN PRIVATE KEY-----\nCANARYcanaryCANARY\n-----END PRIVATE KEY-----'

  test('that cannot be used is a refusal without effect, and stays untold', async () => {
    const sign = makeAppJwtSigner({ appId: '7', privateKey: new Secret(canary) })
    const error: unknown = await sign().catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({
      code: 'provider_rejected',
      effect: 'none',
      details: { reason: 'app_key_unusable' },
    })
    expect(inspect(error, { depth: null, showHidden: true })).not.toContain('CANARY')
  })

  test('that a KMS will not use just now can be tried again, and its words are kept to itself', async () => {
    const provider = makeGithubProvider({
      settings: parseGithubSettings(settings),
      signAppJwt: () => Promise.reject(new Error(canary)),
      clock: { now: () => new Date() },
      timeoutMs: 1000,
    })
    const prepared = provider.prepare({
      account: 'acme',
      repositoryIds: ['1'],
      permissions: { contents: 'read' },
    })
    const minting = prepared.mint({} as never, AbortSignal.timeout(1000)) // the request is not read
    const error: unknown = await minting.catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(MintError)
    expect(error).toMatchObject({ code: 'provider_unavailable', effect: 'none', retryable: true })
    expect(inspect(error, { depth: null, showHidden: true })).not.toContain('CANARY')
  })
})
