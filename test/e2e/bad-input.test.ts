import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { problemSchema } from '@mayfly/protocol'

import { ERRANDS } from '../support/errands.ts'
import type { Answer } from './call.ts'
import type { OpenedTask } from './open-task.ts'
import { openWorld, type World } from './world.ts'

const CANARY = 'c4nary-of-the-caller'
const REPOSITORY = '4202'

let world: World
let task: OpenedTask
/** A lease of another task. */
let elsewhere: string
let before: { issued: number; leases: unknown }
beforeAll(async () => {
  world = await openWorld({ workers: 0 })
  task = await world.openTask()
  elsewhere = (await world.issue(await world.openTask(), ERRANDS.vault)).lease.id
  before = { issued: world.issued(), leases: await openLeases() }
}, 120_000)
afterAll(() => world.stop(), 60_000)

function openLeases(): Promise<unknown> {
  return world.sql("SELECT id, state FROM leases WHERE state <> 'failed'")
}

/** The whole problem, and that nothing came of the request. */
async function expectRefused(answer: Answer, code: string, secrets: string[] = []): Promise<void> {
  expect([answer.status, answer.json['code']]).toEqual(codeRow(code))
  expect(answer.headers.get('content-type')).toBe('application/problem+json')
  expect(problemSchema.parse(answer.json)).toMatchObject({
    type: `https://mayfly.dev/problems/${answer.json['code'] as string}`,
    requestId: answer.headers.get('x-request-id'),
  })
  for (const secret of [CANARY, task.token, ...secrets]) expect(answer.text).not.toContain(secret)
  expect({ issued: world.issued(), leases: await openLeases() }).toEqual(before)
}

function codeRow(row: string): [number, string] {
  const [status = '', code = ''] = row.split(' ')
  return [Number(status), code]
}

type Claims = Record<string, unknown>

function base64url(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

function goodClaims(): Claims {
  const now = Math.floor(Date.now() / 1000)
  const { issuer } = world.stack.standins.oidc.named('github-actions')
  return {
    ...{ iss: issuer, aud: 'mayfly', sub: 'repo:acme/payments:ref:refs/heads/main' },
    ...{ iat: now, exp: now + 300, jti: crypto.randomUUID(), repository: 'acme/payments' },
    ...{ repository_id: REPOSITORY, ref: 'refs/heads/main', event_name: 'push' },
  }
}

/** Signed by the real issuer, with these claims in place of the good ones. */
function issued(claims: Claims, options: { kid?: string } = {}): Promise<string> {
  const { oidc } = world.stack.standins
  return oidc
    .named('github-actions')
    .issue({ ...goodClaims(), ...claims }, { algorithm: 'RS256', ...options })
}

function seconds(fromNow: number): number {
  return Math.floor(Date.now() / 1000) + fromNow
}

/** Signed by nobody, or by whom it should not be. */
function forged(header: Claims, signature: (input: string) => Buffer): string {
  const input = `${base64url({ typ: 'JWT', ...header })}.${base64url(goodClaims())}`
  return `${input}.${signature(input).toString('base64url')}`
}

function publicKey(): Claims {
  const { keys } = world.stack.standins.oidc.named('github-actions').jwks()
  return { ...keys.find(({ kty }) => kty === 'RSA') }
}

const body = {
  intent: { reason: CANARY },
  declarations: [{ template: 'vault-kv-read', actions: ['secret.read'], parameters: {} }],
}

describe('workload tokens', () => {
  const rows: [string, string, () => string | Promise<string>][] = [
    ['none at all', '401 unauthenticated', () => ''],
    ['one that is no token', '401 unauthenticated', () => CANARY],
    ['three dots and nothing else', '401 unauthenticated', () => '..'],
    ['alg none', '401 unauthenticated', () => forged({ alg: 'none' }, () => Buffer.from(''))],
    ['alg nOnE', '401 unauthenticated', () => forged({ alg: 'nOnE' }, () => Buffer.from('x'))],
    ['HS256 with the public key', '401 unauthenticated', () => hmac(JSON.stringify(publicKey()))],
    ['HS256 with its modulus', '401 unauthenticated', () => hmac(String(publicKey()['n']))],
    ['another issuer', '401 unauthenticated', () => issued({ iss: 'https://evil.example' })],
    ['no issuer', '401 unauthenticated', () => issued({ iss: undefined })],
    [
      'an issuer that is a list',
      '401 unauthenticated',
      () => issued({ iss: [goodClaims()['iss']] }),
    ],
    ['another audience', '401 unauthenticated', () => issued({ aud: 'vault' })],
    ['no audience', '401 unauthenticated', () => issued({ aud: undefined })],
    ['R4 two audiences', '401 unauthenticated', () => issued({ aud: ['mayfly', 'vault'] })],
    ['expired', '401 unauthenticated', () => issued({ exp: seconds(-1), iat: seconds(-60) })],
    ['no expiry', '401 unauthenticated', () => issued({ exp: undefined })],
    ['made in the future', '401 unauthenticated', () => issued({ iat: seconds(120) })],
    ['not valid yet', '401 unauthenticated', () => issued({ nbf: seconds(120) })],
    ['R4 too old', '401 unauthenticated', () => issued({ iat: seconds(-660) })],
    ['no subject', '401 unauthenticated', () => issued({ sub: undefined })],
    ['a subject with a newline', '401 unauthenticated', () => issued({ sub: 'a\nb' })],
    [
      'a claim of the wrong type',
      '401 unauthenticated',
      () => issued({ repository_id: [REPOSITORY] }),
    ],
    ['an unknown key', '401 unauthenticated', () => issued({}, { kid: 'nobody' })],
    ['R13 an operator', '401 unauthenticated', () => world.stack.tokens.person('platform')],
    ['a task token', '401 unauthenticated', () => task.token],
    ['R11 an agent that nobody registered', '403 denied', () => issued({ repository_id: '9999' })],
    ['R11 an agent without the claim', '403 denied', () => issued({ repository_id: undefined })],
  ]
  test.each(rows)('%s: %s', async (_name, code, make) => {
    const token = await make()
    const answer = await world.call('POST', '/v1/tasks', { token, body })
    await expectRefused(answer, code, token.length > 10 ? [token] : [])
  })

  function hmac(secret: string): string {
    const mac = (input: string): Buffer => createHmac('sha256', secret).update(input).digest()
    return forged({ alg: 'HS256', kid: publicKey()['kid'] }, mac)
  }

  test.each(['jku', 'x5u'])(
    'R2 keys that the token itself points at by %s are not fetched',
    async (name) => {
      const { privateKey, publicKey: ours } = generateKeyPairSync('rsa', { modulusLength: 2048 })
      let fetched = 0
      const server = createServer((_request, response) => {
        fetched += 1
        response.end(JSON.stringify({ keys: [{ ...ours.export({ format: 'jwk' }), kid: 'evil' }] }))
      }).listen(0, '127.0.0.1')
      await once(server, 'listening')
      const address = server.address()
      const port = typeof address === 'object' && address ? address.port : 0
      const url = `http://127.0.0.1:${String(port)}/jwks`
      const token = forged(
        { alg: 'RS256', kid: 'evil', [name]: url, jwk: ours.export({ format: 'jwk' }) },
        (input) => sign('sha256', Buffer.from(input), privateKey),
      )
      await expectRefused(
        await world.call('POST', '/v1/tasks', { token, body }),
        '401 unauthenticated',
        [token],
      )
      expect(fetched).toBe(0)
      server.close()
    },
  )

  test('R8 one that another task used', async () => {
    const token = await issued({})
    expect((await world.call('POST', '/v1/tasks', { token, body })).status).toBe(201)
    await expectRefused(
      await world.call('POST', '/v1/tasks', { token, body }),
      '401 token_replayed',
      [token],
    )
  })

  test('in a query or a body is not looked for', async () => {
    const token = await issued({})
    const answer = await world.call('POST', `/v1/tasks?access_token=${token}`, { body })
    await expectRefused(answer, '401 unauthenticated', [token])
  })
})

describe('R13 tokens of one class on the routes of another', () => {
  const set = { resources: [{ kind: 'Owner' }] }
  const rows: [string, string, string, object | undefined, () => string | Promise<string>][] = [
    ['401 unauthenticated', 'POST', '/v1/leases', ERRANDS.vault, () => issued({})],
    [
      '401 unauthenticated',
      'POST',
      '/v1/leases',
      ERRANDS.vault,
      () => world.stack.tokens.person('platform'),
    ],
    ['401 unauthenticated', 'POST', '/v1/policy-sets', set, () => issued({})],
    ['401 unauthenticated', 'POST', '/v1/policy-sets', set, () => task.token],
    [
      '403 role_required',
      'POST',
      '/v1/policy-sets',
      set,
      () => world.stack.tokens.person('auditor'),
    ],
    [
      '403 role_required',
      'POST',
      '/v1/policy-sets',
      set,
      () => world.stack.tokens.person('responder'),
    ],
    ['401 unauthenticated', 'GET', '/v1/policy-sets/current', undefined, () => task.token],
    ['401 unauthenticated', 'GET', '/v1/leases', undefined, () => issued({})],
    ['401 unauthenticated', 'GET', '/v1/templates', undefined, () => ''],
  ]
  test.each(rows)('%s: %s %s', async (code, method, path, sent, make) => {
    const token = await make()
    const answer = await world.call(method, path, { token, ...(sent ? { body: sent } : {}) })
    await expectRefused(answer, code, token === '' ? [] : [token])
  })

  test('403 role_required: an auditor ends nothing', async () => {
    const token = await world.stack.tokens.person('auditor')
    const answer = await world.call('POST', `/v1/tasks/${task.id}/close`, { token })
    await expectRefused(answer, '403 role_required', [token])
  })
})

describe('lease requests', () => {
  const github = (repository: unknown, more: object = {}): object => ({
    ...ERRANDS.github,
    parameters: { repository, ...more },
  })
  const vault = (secret: unknown): object => ({
    ...ERRANDS.vault,
    parameters: { team: 'payments', secret },
  })
  const ttl = (ttlSeconds: unknown): object => ({ ...ERRANDS.vault, ttlSeconds })
  const rows: [string, string, object][] = [
    [
      'an unknown template',
      '404 scope_template_unknown',
      { ...ERRANDS.vault, template: 'nothing' },
    ],
    [
      'a template from the prototype',
      '404 scope_template_unknown',
      { ...ERRANDS.vault, template: 'constructor' },
    ],
    ['an unknown action', '400 action_unknown', { ...ERRANDS.vault, actions: ['secret.write'] }],
    [
      'an action from the prototype',
      '400 action_unknown',
      { ...ERRANDS.vault, actions: ['toString'] },
    ],
    [
      'an action named twice',
      '400 invalid_request',
      { ...ERRANDS.vault, actions: ['secret.read', 'secret.read'] },
    ],
    ['no action', '400 invalid_request', { ...ERRANDS.vault, actions: [] }],
    ['an unknown parameter', '400 parameter_invalid', github('acme/payments', { admin: CANARY })],
    ['a missing parameter', '400 parameter_invalid', { ...ERRANDS.vault, parameters: {} }],
    [
      'R18 a parameter that comes from the token',
      '400 parameter_invalid',
      github('acme/payments', { repositoryId: '4201' }),
    ],
    ['R19 a wildcard', '400 parameter_invalid', github('acme/*')],
    ['a path that climbs', '400 parameter_invalid', vault('../web/app/session')],
    ['a path that climbs inside', '400 parameter_invalid', vault('app/..')],
    ['a path that climbs in percent signs', '400 parameter_invalid', vault('%2e%2e/web')],
    ['an empty path segment', '400 parameter_invalid', vault('app//x')],
    ['a newline at the end', '400 parameter_invalid', vault('app\n')],
    ['a null byte', '400 invalid_request', vault('app\u0000')],
    ['ten thousand characters', '400 invalid_request', vault('a'.repeat(10_000))],
    ['a thousand characters', '400 parameter_invalid', vault('a'.repeat(1000))],
    ['a Cyrillic look-alike', '400 parameter_invalid', github('acme/p\u0430yments')],
    ['a full-width look-alike', '400 parameter_invalid', github('acme/\uff50ayments')],
    ['a right-to-left override', '400 parameter_invalid', github('acme/pay\u202ements')],
    ['a combining accent', '400 parameter_invalid', vault('app\u0301')],
    ['half a surrogate pair', '400 invalid_request', vault('app\ud800')],
    ['a quote', '400 parameter_invalid', vault('app"')],
    ['a template of ours', '400 parameter_invalid', vault('{{team}}')],
    ['an object for a parameter', '400 invalid_request', vault({ $ne: '' })],
    ['a number for a text', '400 parameter_invalid', vault(7)],
    ['TTL 0', '400 ttl_invalid', ttl(0)],
    ['a negative TTL', '400 ttl_invalid', ttl(-1)],
    ['half a second', '400 invalid_request', ttl(0.5)],
    ['a TTL in words', '400 invalid_request', ttl('60')],
    ['a TTL above the cap', '422 ttl_too_long', ttl(901)],
    ['a TTL beyond all bounds', '422 ttl_too_long', ttl(Number.MAX_SAFE_INTEGER)],
    ['a TTL that is no safe number', '400 invalid_request', ttl(1e300)],
    [
      'R17 what the task did not declare',
      '403 not_declared',
      {
        template: 'aws-log-reading',
        actions: ['secret.read'],
        parameters: { service: 'payments' },
      },
    ],
    ['somebody else’s repository', '403 denied', github('acme/web')],
    [
      'somebody else’s secret',
      '403 denied',
      { ...ERRANDS.vault, parameters: { team: 'web', secret: 'app/session' } },
    ],
    ['an unknown field', '400 invalid_request', { ...ERRANDS.vault, scope: CANARY }],
  ]
  test.each(rows)('%s: %s', async (_name, code, request) => {
    await expectRefused(await world.ask(task, request), code)
  })

  test('409 task_closed', async () => {
    const closed = await world.openTask()
    await world.call('POST', `/v1/tasks/${closed.id}/close`, { token: closed.token })
    await expectRefused(await world.ask(closed, ERRANDS.vault), '409 task_closed', [closed.token])
  })

  test.each(['GET', 'DELETE'])(
    '%s of another task’s lease is as if there were none',
    async (method) => {
      const answer = await world.call(method, `/v1/leases/${elsewhere}`, { token: task.token })
      await expectRefused(answer, '404 lease_unknown')
      const none = await world.call(method, '/v1/leases/lea_none', { token: task.token })
      expect(none.json['detail']).toBe(answer.json['detail'])
    },
  )

  test('another task is as if there were none', async () => {
    const other = await world.openTask()
    const answers = [
      await world.call('GET', `/v1/tasks/${other.id}`, { token: task.token }),
      await world.call('POST', `/v1/tasks/${other.id}/close`, { token: task.token }),
    ]
    for (const answer of answers) await expectRefused(answer, '404 task_unknown')
  })
})

describe('bodies and routes', () => {
  const json = JSON.stringify(ERRANDS.vault)
  const rows: [string, string, string, Record<string, string>][] = [
    [
      'too large',
      '413 payload_too_large',
      JSON.stringify({ ...ERRANDS.vault, reason: 'x'.repeat(70_000) }),
      {},
    ],
    [
      'nested too deeply',
      '400 invalid_request',
      `{"parameters":${'['.repeat(5000)}${']'.repeat(5000)}}`,
      {},
    ],
    ['__proto__', '400 invalid_request', json.replace('{', '{"__proto__":{"admin":true},'), {}],
    [
      'a constructor',
      '400 invalid_request',
      json.replace('{', '{"constructor":{"prototype":{}},'),
      {},
    ],
    ['cut off', '400 invalid_request', json.slice(0, -1), {}],
    ['a list', '400 invalid_request', `[${json}]`, {}],
    ['text', '400 invalid_request', `"${CANARY}"`, {}],
    ['null', '400 invalid_request', 'null', {}],
    ['nothing', '400 invalid_request', '', {}],
    ['not called JSON', '415 unsupported_media_type', json, { 'content-type': 'text/plain' }],
    ['compressed', '415 unsupported_media_type', json, { 'content-encoding': 'gzip' }],
    ['a bad idempotency key', '400 invalid_request', json, { 'idempotency-key': 'k'.repeat(300) }],
  ]
  test.each(rows)('%s: %s', async (_name, code, text, headers) => {
    const { token } = task
    await expectRefused(
      await world.call('POST', '/v1/leases', { token, body: text, headers }),
      code,
    )
  })

  const tasks: [string, string, object][] = [
    ['no declarations', '400 invalid_request', { ...body, declarations: [] }],
    ['no reason', '400 invalid_request', { ...body, intent: {} }],
    ['an unknown field', '400 invalid_request', { ...body, owner: CANARY }],
    ['a TTL of zero', '400 ttl_invalid', { ...body, ttlSeconds: 0 }],
    ['a TTL of a year', '422 ttl_too_long', { ...body, ttlSeconds: 31_536_000 }],
    [
      'an unknown template',
      '404 scope_template_unknown',
      { ...body, declarations: [{ ...ERRANDS.vault, template: 'x' }] },
    ],
    [
      'an unknown action',
      '400 action_unknown',
      { ...body, declarations: [{ ...ERRANDS.vault, actions: ['x'] }] },
    ],
    [
      'a wildcard',
      '400 parameter_invalid',
      { ...body, declarations: [{ ...ERRANDS.vault, parameters: { secret: '*' } }] },
    ],
  ]
  test.each(tasks)('a task with %s: %s', async (_name, code, sent) => {
    const token = await issued({})
    await expectRefused(await world.call('POST', '/v1/tasks', { token, body: sent }), code, [token])
  })

  test.each([
    ['GET', '/v1/nothing', '404 not_found'],
    ['PUT', '/v1/leases', '404 not_found'],
    ['PATCH', '/v1/tasks', '404 not_found'],
    ['GET', `/v1/${CANARY}`, '404 not_found'],
    ['GET', '/v1/leases/%zz', '400 invalid_request'],
    ['GET', '/v1/leases?limit=0', '400 invalid_request'],
    ['GET', '/v1/leases?limit=5&state=x', '400 invalid_request'],
    ['GET', '/v1/leases?limit=1&limit=2', '400 invalid_request'],
    ['GET', "/v1/leases/x';DROP TABLE leases;--", '404 lease_unknown'],
    ['GET', '/v1/leases/lea_%00', '400 invalid_request'],
    ['GET', '/v1/leases?target=%00', '400 invalid_request'],
    ['GET', '/v1/tasks/..%2f..%2fetc', '404 task_unknown'],
  ])('%s %s: %s', async (method, path, code) => {
    await expectRefused(await world.call(method, path, { token: task.token }), code)
  })

  test('R115 too many requests of one address, before any token is looked at', async () => {
    const { url } = await world.start('broker', { RATE_LIMIT_PER_MINUTE: '3' })
    const ask = (): Promise<Answer> =>
      world.call('GET', '/v1/templates', { token: task.token, url })
    const answers = [await ask(), await ask(), await ask(), await ask()]
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429])
    const [, , , last] = answers
    if (!last) throw new Error('four were sent')
    await expectRefused(last, '429 rate_limited')
    expect(last.json['retryable']).toBe(true)
    expect(Number(last.headers.get('retry-after'))).toBeGreaterThan(0)
  })
})

test('in all this the broker has not failed once, and its log has nothing of what was sent', async () => {
  const log = await readFile(world.stack.logs.broker, 'utf8')
  expect(log.split('\n').filter((line) => /"level":(50|60)/.test(line))).toEqual([])
  expect(log).not.toContain(CANARY)
  expect(log).not.toContain(task.token)
})
