import { createSign, generateKeyPairSync } from 'node:crypto'

import { startGithubStandin, type GithubStandin } from '@mayfly/standins'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'

const key = generateKeyPairSync('rsa', { modulusLength: 2048 })
const publicKey = key.publicKey.export({ type: 'spki', format: 'pem' }).toString()
const noon = new Date('2026-11-23T12:00:00Z').getTime()

let github: GithubStandin
let now: number
beforeEach(async () => {
  now = noon
  github = await startGithubStandin({
    apps: [
      {
        appId: 7,
        clientId: 'Iv1.abc',
        slug: 'mayfly',
        publicKey,
        permissions: {
          contents: 'write',
          pull_requests: 'write',
          workflows: 'write',
          packages: 'read',
        },
      },
      { appId: 8, slug: 'other', publicKey, permissions: { contents: 'read' } },
    ],
    installations: [
      {
        id: 101,
        appId: 7,
        account: 'acme',
        repositories: [
          { id: 1, name: 'payments' },
          { id: 2, name: 'web' },
          { id: 3, name: 'site', private: false },
        ],
        packages: [{ name: 'ledger', type: 'npm' }],
      },
      { id: 102, appId: 7, account: 'globex', repositories: [{ id: 4, name: 'core' }] },
    ],
    clock: { now: () => new Date(now) },
    requestsPerHour: 20,
  })
})
afterEach(() => github.stop())

interface Call {
  readonly method?: string
  readonly body?: unknown
  readonly as: string
}

async function call(path: string, { method = 'GET', body, as }: Call) {
  const answer = await fetch(new URL(path, github.url), {
    method,
    headers: { authorization: as, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  const parsed: unknown = text === '' ? null : JSON.parse(text)
  return { status: answer.status, headers: answer.headers, body: parsed as Record<string, unknown> } // every body here is an object
}

function appJwt(claims: Record<string, unknown> = {}): string {
  const seconds = Math.floor(now / 1000)
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const payload = { iss: 7, iat: seconds - 30, exp: seconds + 570, ...claims }
  const signed = `${part({ alg: 'RS256', typ: 'JWT' })}.${part({ ...payload, iss: String(payload.iss) })}`
  const signature = createSign('RSA-SHA256').update(signed).sign(key.privateKey, 'base64url')
  return `Bearer ${signed}.${signature}`
}

const MINT = '/app/installations/101/access_tokens'
const narrow = { repositories: ['payments'], permissions: { contents: 'write' } }

async function mint(body: unknown = narrow): Promise<string> {
  const { status, body: answer } = await call(MINT, { method: 'POST', body, as: appJwt() })
  expect(status).toBe(201)
  return `Bearer ${String(answer['token'])}`
}

describe('App JWTs', () => {
  test('of the App by id or client id are accepted', async () => {
    expect(await call('/app', { as: appJwt() })).toMatchObject({ status: 200, body: { id: 7 } })
    expect((await call('/app', { as: appJwt({ iss: 'Iv1.abc' }) })).status).toBe(200)
    expect((await call('/app/installations', { as: appJwt() })).body).toMatchObject([
      { id: 101 },
      { id: 102 },
    ])
  })

  test.each<[string, number, () => string]>([
    ['none', 401, () => ''],
    ['nonsense', 401, () => 'Bearer nonsense'],
    ['a broken signature', 401, () => `${appJwt().slice(0, -8)}AAAAAAAA`],
    ['one that is over', 401, () => appJwt({ exp: noon / 1000 - 1 })],
    ['one without an end', 401, () => appJwt({ exp: undefined })],
    ['one that lives too long', 401, () => appJwt({ exp: noon / 1000 + 660 })],
    ['one from the future', 401, () => appJwt({ iat: noon / 1000 + 120 })],
    ['one of an unknown App', 404, () => appJwt({ iss: 9 })],
  ])('%s: %i', async (_name, status, as) => {
    expect((await call('/app', { as: as() })).status).toBe(status)
  })

  test("do not reach another App's installation", async () => {
    const as = appJwt({ iss: 8 })
    expect((await call('/app/installations/101', { as })).status).toBe(404)
    expect((await call(MINT, { method: 'POST', body: {}, as })).status).toBe(404)
  })
})

describe('minting', () => {
  test('gives the new form of token, for an hour, with metadata added', async () => {
    const { body } = await call(MINT, { method: 'POST', body: narrow, as: appJwt() })
    expect(body).toMatchObject({
      expires_at: '2026-11-23T13:00:00Z',
      permissions: { contents: 'write', metadata: 'read' },
      repository_selection: 'selected',
      repositories: [{ id: 1, full_name: 'acme/payments' }],
    })
    expect(String(body['token'])).toMatch(/^ghs_7_[A-Za-z0-9._-]{480,}$/)
  })

  test.each([
    ['left out', {}],
    ['empty', { repositories: [], permissions: {} }],
  ])('takes lists that are %s for everything, as GitHub does', async (_name, body) => {
    const answer = await call(MINT, { method: 'POST', body, as: appJwt() })
    expect(answer.body).toMatchObject({
      permissions: { workflows: 'write', contents: 'write', metadata: 'read' },
      repository_selection: 'all',
    })
    expect(github.issued()[0]?.repositoryIds).toEqual([1, 2, 3])
  })

  test.each([
    ['an unknown repository', { repositories: ['nothing'] }, /does not exist or is not accessible/],
    ["another installation's repository", { repository_ids: [4] }, /not accessible/],
    ['a permission that is not there', { permissions: { members: 'read' } }, /not granted/],
    ['a level that is not there', { permissions: { packages: 'write' } }, /not granted/],
    ['501 repositories', { repository_ids: Array.from({ length: 501 }, () => 1) }, /500/],
    ['something else', { repository_ids: 'all' }, /Invalid/],
  ])('%s: 422, and nothing is issued', async (_name, body, message) => {
    const answer = await call(MINT, { method: 'POST', body, as: appJwt() })
    expect(answer).toMatchObject({ status: 422, body: { message: expect.stringMatching(message) } })
    expect(github.issued()).toEqual([])
  })

  test('a suspended installation mints nothing, and its tokens rest until that ends', async () => {
    const as = await mint()
    const suspended = '/app/installations/101/suspended'
    expect((await call(suspended, { method: 'PUT', as: appJwt() })).status).toBe(204)
    const refused = { status: 403, body: { message: 'This installation has been suspended' } }
    expect(await call(MINT, { method: 'POST', body: narrow, as: appJwt() })).toMatchObject(refused)
    expect(await call('/repos/acme/payments', { as })).toMatchObject(refused)
    expect((await call(suspended, { method: 'DELETE', as: appJwt() })).status).toBe(204)
    expect((await call('/repos/acme/payments', { as })).status).toBe(200)
  })
})

describe('a token', () => {
  test('stops working when it is revoked, and nothing else does', async () => {
    const [as, other] = [await mint(), await mint()]
    expect((await call('/installation/token', { method: 'DELETE', as })).status).toBe(204)
    const gone = { status: 401, body: { message: 'Bad credentials' } }
    expect(await call('/installation/repositories', { as })).toMatchObject(gone)
    expect(await call('/installation/token', { method: 'DELETE', as })).toMatchObject(gone)
    expect((await call('/installation/repositories', { as: other })).status).toBe(200)
    expect(github.live()).toHaveLength(1)
    expect(github.issued()[0]).toMatchObject({ revokedAt: new Date(noon) })
  })

  test('dies after an hour', async () => {
    const as = await mint()
    now += 3_599_000
    expect((await call('/repos/acme/payments', { as })).status).toBe(200)
    now += 1_000
    expect((await call('/repos/acme/payments', { as })).status).toBe(401)
    expect(github.live()).toEqual([])
    expect(github.live(new Date(noon))).toHaveLength(1)
  })

  test('is what git sends as a password, too', async () => {
    const token = (await mint()).replace('Bearer ', '')
    const as = `Basic ${Buffer.from(`x-access-token:${token}`).toString('base64')}`
    expect((await call('/repos/ACME/Payments', { as })).status).toBe(200)
  })

  test('lists its own repositories only', async () => {
    const { body } = await call('/installation/repositories?per_page=1', { as: await mint() })
    expect(body).toMatchObject({ total_count: 1, repositories: [{ full_name: 'acme/payments' }] })
  })

  test('does not see private repositories outside it, may read public ones, and says what it lacks', async () => {
    const as = await mint()
    const content = Buffer.from('x').toString('base64')
    const write = { method: 'PUT', body: { message: 'm', content }, as }
    expect((await call('/repos/acme/web', { as })).status).toBe(404)
    expect((await call('/repos/globex/core', { as })).status).toBe(404)
    expect((await call('/repos/acme/site/contents/README.md', { as })).status).toBe(200)
    expect((await call('/repos/acme/site/contents/a.txt', write)).status).toBe(403)
    const pulls = await call('/repos/acme/payments/pulls', { as })
    expect(pulls).toMatchObject({
      status: 403,
      body: { message: 'Resource not accessible by integration' },
    })
    expect(pulls.headers.get('x-accepted-github-permissions')).toBe('pull_requests=read')
    expect((await call('/orgs/acme/packages?package_type=npm', { as })).status).toBe(403)
    expect((await call('/orgs/globex/packages', { as })).status).toBe(404)
    expect((await call('/nothing', { as })).status).toBe(404)
  })

  test('is counted against the hourly limit of its installation', async () => {
    const as = await mint()
    const first = await call('/repos/acme/payments', { as })
    expect(first.headers.get('x-ratelimit-remaining')).toBe('19')
    for (let used = 1; used < 20; used++) await call('/repos/acme/payments', { as })
    const over = await call('/repos/acme/payments', { as })
    expect([over.status, over.headers.get('x-ratelimit-remaining')]).toEqual([403, '0'])
    expect(Number(over.headers.get('x-ratelimit-reset'))).toBe(noon / 1000 + 3600)
  })
})

describe('repositories', () => {
  test('keep what is written, on branches, and open pull requests', async () => {
    const permissions = { contents: 'write', pull_requests: 'write', packages: 'read' }
    const as = await mint({ repositories: ['payments'], permissions })
    const repo = '/repos/acme/payments'

    const main = await call(`${repo}/git/ref/heads/main`, { as })
    const { sha } = main.body['object'] as { sha: string } // a ref points at an object
    const ref = { ref: 'refs/heads/feature/x', sha }
    expect((await call(`${repo}/git/refs`, { method: 'POST', body: ref, as })).status).toBe(201)
    expect((await call(`${repo}/git/refs`, { method: 'POST', body: ref, as })).status).toBe(422)

    const put = (text: string, more: object = {}) => {
      const content = Buffer.from(text).toString('base64')
      const body = { message: 'm', branch: 'feature/x', content, ...more }
      return call(`${repo}/contents/src/a.ts`, { method: 'PUT', body, as })
    }
    const written = await put('one')
    expect(written.status).toBe(201)
    expect((await put('two')).status).toBe(422)
    expect((await put('two', { sha: 'other' })).status).toBe(409)
    const { sha: before } = written.body['content'] as { sha: string } // a write answers with the file
    expect((await put('two', { sha: before })).status).toBe(200)

    const read = await call(`${repo}/contents/src/a.ts?ref=feature/x`, { as })
    expect(Buffer.from(String(read.body['content']), 'base64').toString()).toBe('two')
    expect((await call(`${repo}/contents/src/a.ts`, { as })).status).toBe(404)

    const pull = { title: 'x', head: 'feature/x', base: 'main' }
    expect(await call(`${repo}/pulls`, { method: 'POST', body: pull, as })).toMatchObject({
      status: 201,
      body: { number: 1, user: { login: 'mayfly[bot]' } },
    })
    expect((await call(`${repo}/pulls`, { as })).body).toMatchObject([{ title: 'x' }])
    expect((await call('/orgs/acme/packages', { as })).body).toEqual([
      { name: 'ledger', package_type: 'npm' },
    ])
  })

  test('keep workflow files behind a permission of their own', async () => {
    const body = { message: 'm', content: '' }
    const path = '/repos/acme/payments/contents/.github/workflows/ci.yml'
    expect((await call(path, { method: 'PUT', body, as: await mint() })).status).toBe(403)
    const permissions = { contents: 'write', workflows: 'write' }
    const as = await mint({ repositories: ['payments'], permissions })
    expect((await call(path, { method: 'PUT', body, as })).status).toBe(201)
  })
})

describe('the control surface', () => {
  test('tells other processes what was issued, by hash', async () => {
    const as = await mint()
    await call('/installation/token', { method: 'DELETE', as })
    const { body } = await call('/_standin/issued', { as: '' })
    expect(body).toMatchObject([
      { installationId: 101, live: false, hashedToken: expect.any(String) },
    ])
    expect(JSON.stringify(body)).not.toContain('ghs_')
  })

  test('lets other processes order a fault, which happens once', async () => {
    const order = { on: 'mint', fault: { kind: 'status', status: 503 } }
    const faults = '/_standin/faults'
    expect((await call(faults, { method: 'POST', body: order, as: '' })).status).toBe(204)
    expect((await call('/app', { as: appJwt() })).status).toBe(200)
    expect((await call(MINT, { method: 'POST', body: narrow, as: appJwt() })).status).toBe(503)
    expect(await mint()).toMatch(/^Bearer ghs_/)

    await call(faults, { method: 'POST', body: order, as: '' })
    expect((await call(faults, { method: 'DELETE', as: '' })).status).toBe(204)
    expect(await mint()).toMatch(/^Bearer ghs_/)
    const nonsense = { fault: { kind: 'fire' } }
    expect((await call(faults, { method: 'POST', body: nonsense, as: '' })).status).toBe(400)
    expect(github.requests().filter(({ path }) => path.startsWith('/_standin'))).toEqual([])
  })

  test('does not mind a body that is not JSON', async () => {
    const answer = await fetch(new URL(MINT, github.url), {
      method: 'POST',
      headers: { authorization: appJwt(), 'content-type': 'application/json' },
      body: '{',
    })
    expect(answer.status).toBe(400)
  })
})
