import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { problemSchema, type LeaseBody } from '@mayfly/protocol'
import type { AwsFault, GithubFault, VaultFaultRequest } from '@mayfly/standins'

import { ERRANDS, type ErrandName } from '../support/errands.ts'
import { until } from '../support/until.ts'
import { openWorld, type World } from './world.ts'

/** What the caller was told, and what stands in the database about the same request. */
interface Trouble {
  readonly name: string
  readonly leaseId: string
  /** GitHub's tokens that this request brought about. */
  readonly tokens: readonly string[]
}

let world: World
const troubles: Trouble[] = []
beforeAll(async () => {
  world = await openWorld({ environment: { PROVIDER_TIMEOUT_MS: '1000' } })
}, 120_000)
afterAll(() => world.stop(), 60_000)

const REJECTED = '502 provider_rejected final'
const OVERBROAD = '502 provider_overbroad final'
const THROTTLED = '503 provider_throttled retryable'
const UNAVAILABLE = '503 provider_unavailable retryable'

/** Asks for a credential while the fault is on, heals it, and checks what the caller was told. */
async function ask(errand: ErrandName, name: string, expected: string): Promise<void> {
  const { github } = world.stack.standins
  const before = new Set(github.issued().map(({ token }) => token))
  const task = await world.openTask()
  const answer = await world.ask(task, ERRANDS[errand])
  const problem = problemSchema.parse(answer.json)
  const retry = problem.retryable ? 'retryable' : 'final'
  expect(`${String(problem.status)} ${problem.code} ${retry}`).toBe(expected)
  expect(answer.status).toBe(problem.status)
  // R33: nothing that the provider wrote is passed on.
  expect(answer.text).not.toMatch(/stand-in|injected|<html|errors/)
  if (problem.code === 'provider_throttled' && errand !== 'aws')
    expect(answer.headers.get('retry-after')).toBe('7')
  const [row] = await world.sql('SELECT id FROM leases WHERE task_id = $1', [task.id])
  const tokens = github.issued().filter(({ token }) => !before.has(token))
  troubles.push({
    name,
    leaseId: String(row?.['id']),
    tokens: tokens.map(({ token }) => token),
  })
}

describe('GitHub', () => {
  const rows: [string, string, GithubFault][] = [
    ['401', REJECTED, { kind: 'status', status: 401 }],
    ['403', REJECTED, { kind: 'status', status: 403 }],
    ['404', REJECTED, { kind: 'status', status: 404 }],
    ['422', REJECTED, { kind: 'status', status: 422 }],
    ['429', THROTTLED, { kind: 'status', status: 429, retryAfterSeconds: 7 }],
    ['403 with retry-after', THROTTLED, { kind: 'status', status: 403, retryAfterSeconds: 7 }],
    ['500', UNAVAILABLE, { kind: 'status', status: 500 }],
    ['a redirect', UNAVAILABLE, { kind: 'status', status: 302, location: 'http://127.0.0.1:9/' }],
    ['garbage', UNAVAILABLE, { kind: 'garbage' }],
    ['nothing', UNAVAILABLE, { kind: 'empty' }],
    ['half an answer', UNAVAILABLE, { kind: 'truncated', characters: 40 }],
    ['silence', UNAVAILABLE, { kind: 'hang' }],
    ['a lost connection before the mint', UNAVAILABLE, { kind: 'dropped' }],
    ['a lost connection after the mint', UNAVAILABLE, { kind: 'lost' }],
    ['more permissions', OVERBROAD, { kind: 'wider', permissions: { administration: 'write' } }],
    ['more repositories', OVERBROAD, { kind: 'wider', everyRepository: true }],
    ['an answer without its expiry', OVERBROAD, { kind: 'replaced', fields: { expires_at: null } }],
  ]
  test.each(rows)('answers with %s: %s', async (name, expected, fault) => {
    world.stack.standins.github.faults.next(fault, 'mint')
    await ask('github', `github ${name}`, expected)
  })
})

describe('AWS', () => {
  const error = (status: number, code: string): AwsFault => ({ kind: 'error', status, code })
  const rows: [string, string, AwsFault][] = [
    ['401', REJECTED, error(401, 'UnrecognizedClientException')],
    ['403', REJECTED, error(403, 'AccessDenied')],
    ['404', REJECTED, error(404, 'NoSuchEntity')],
    ['422', REJECTED, error(422, 'ValidationError')],
    ['400', REJECTED, error(400, 'MalformedPolicyDocument')],
    ['429', THROTTLED, error(429, 'Throttling')],
    ['throttling as 400', THROTTLED, error(400, 'Throttling')],
    ['500', UNAVAILABLE, error(500, 'InternalFailure')],
    ['garbage', UNAVAILABLE, { kind: 'garbage' }],
    ['nothing', UNAVAILABLE, { kind: 'empty' }],
    ['silence', UNAVAILABLE, { kind: 'hang' }],
    ['a lost connection after the mint', UNAVAILABLE, { kind: 'lost' }],
  ]
  test.each(rows)('answers with %s: %s', async (name, expected, fault) => {
    world.stack.standins.aws.faults.next({ ...fault, operation: 'AssumeRole' })
    await ask('aws', `aws ${name}`, expected)
  })
})

describe.each([
  ['vault', 'auth/token/create'],
  ['database', 'database/creds'],
] as const)('Vault, for a %s lease', (errand, path) => {
  const status = (code: number): VaultFaultRequest['fault'] => ({
    kind: 'status',
    status: code,
    ...(code === 429 ? { retryAfterSeconds: 7 } : {}),
  })
  const rows: [string, string, VaultFaultRequest['fault']][] = [
    ['400', REJECTED, status(400)],
    ['401', REJECTED, status(401)],
    ['403', REJECTED, status(403)],
    ['404', REJECTED, status(404)],
    ['422', REJECTED, status(422)],
    ['429', THROTTLED, status(429)],
    ['500', UNAVAILABLE, status(500)],
    ['503', UNAVAILABLE, status(503)],
    ['garbage', UNAVAILABLE, { kind: 'garbage' }],
    ['nothing', UNAVAILABLE, { kind: 'empty' }],
    ['too much', UNAVAILABLE, { kind: 'oversized' }],
    ['silence', UNAVAILABLE, { kind: 'hang' }],
    ['a lost connection after the mint', UNAVAILABLE, { kind: 'lost' }],
  ]
  test.each(rows)('answers with %s: %s', async (name, expected, fault) => {
    const { vault } = world.stack.standins
    vault.fault({ path, fault })
    try {
      await ask(errand, `${errand} ${name}`, expected)
    } finally {
      vault.fault({ fault: null })
    }
  })
})

describe('Vault gives another token than was asked for', () => {
  test.each([
    ['more policies', { policies: ['root'], token_policies: ['root'] }],
    ['a renewable one', { renewable: true }],
    ['a child of the broker’s', { orphan: false }],
    ['a batch token', { token_type: 'batch' }],
  ])('%s', async (name, auth) => {
    const { vault } = world.stack.standins
    vault.fault({ path: 'auth/token/create', times: 1, fault: { kind: 'alter', auth } })
    await ask('vault', `vault ${name}`, OVERBROAD)
    vault.fault({ fault: null })
  })
})

describe('in the end', () => {
  async function untilSettled(
    leaseId: string,
    states: readonly string[],
    note: string,
  ): Promise<LeaseBody> {
    let lease = await world.lease(leaseId)
    await until(async () => {
      lease = await world.lease(leaseId)
      return states.includes(lease.state) || lease.revocationNote === note
    }, 60_000)
    return lease
  }

  test('each lease is dead, or says that it cannot be ended and until when', async () => {
    const settled = ['failed', 'revoked', 'revocation_failed']
    // Vault may carry out what it did not answer for a minute and a half: until then nobody can say
    // that the token of such a lease does not exist, and nobody does.
    const waiting = 'Vault may still be carrying out the request whose answer was lost'
    const ends: Record<string, string> = {}
    for (const { name, leaseId, tokens } of troubles) {
      const lease = await untilSettled(leaseId, settled, waiting)
      ends[name] = lease.state
      if (lease.state !== 'revocation_failed') continue
      expect(lease.irrevocable).toMatchObject({ diesAt: lease.credentialExpiresAt })
      const { github } = world.stack.standins
      const diesAt = Date.parse(lease.irrevocable?.diesAt ?? '')
      for (const { token, expiresAt } of github.live())
        if (tokens.includes(token)) expect(expiresAt.getTime()).toBeLessThanOrEqual(diesAt)
    }
    const irrevocable = Object.keys(ends).filter((name) => ends[name] === 'revocation_failed')
    // Only GitHub offers no handle that could be chosen before the mint.
    expect(irrevocable.filter((name) => !name.startsWith('github'))).toEqual([])
    const overbroad = troubles.filter(({ name }) => /more|expiry|renewable|child|batch/.test(name))
    expect(overbroad.map(({ name }) => [name, ends[name]])).toEqual(
      overbroad.map(({ name }) => [name, 'revoked']),
    )
  }, 120_000)

  test('nothing else that was ever issued is alive', async () => {
    const { aws, vault, github } = world.stack.standins
    await until(() => aws.live().length + vault.live().length === 0, 60_000)
    const rows = await world.sql('SELECT id FROM leases WHERE irrevocable_dies_at IS NOT NULL')
    const unaccounted = github.live().filter(({ token }) => {
      const trouble = troubles.find(({ tokens }) => tokens.includes(token))
      return !rows.some(({ id }) => id === trouble?.leaseId)
    })
    expect(unaccounted).toEqual([])
    expect(github.live().length).toBeGreaterThan(0)
  }, 90_000)
})

describe('trouble with the revocation', () => {
  test.each([
    ['500', { kind: 'status', status: 500 }],
    ['429', { kind: 'status', status: 429, retryAfterSeconds: 1 }],
    ['silence', { kind: 'hang' }],
    ['a lost connection', { kind: 'dropped' }],
  ] as [string, GithubFault][])(
    'GitHub, %s: it is tried again, and not called dead before',
    async (_name, fault) => {
      const { github } = world.stack.standins
      const task = await world.openTask()
      const { lease, credential } = await world.issue(task, ERRANDS.github)
      github.faults.next(fault, 'revoke')
      const answer = await world.call('DELETE', `/v1/leases/${lease.id}`, { token: task.token })
      expect(answer).toMatchObject({ status: 200, json: { lease: { state: 'revocation_failed' } } })
      const dead = await world.settled(lease.id)
      expect(dead.revocationAttempts).toBeGreaterThan(1)
      expect(github.live().map(({ token }) => token)).not.toContain(credential['token'])
    },
    40_000,
  )

  test('AWS and Vault: it is tried again', async () => {
    const { aws, vault } = world.stack.standins
    const task = await world.openTask()
    const held = [
      await world.issue(task, ERRANDS.aws),
      await world.issue(task, ERRANDS.vault),
      await world.issue(task, ERRANDS.database),
    ]
    aws.faults.next({
      kind: 'error',
      status: 500,
      code: 'ServiceFailure',
      operation: 'PutRolePolicy',
    })
    vault.fault({
      path: 'auth/token/revoke-accessor',
      times: 2,
      fault: { kind: 'status', status: 500 },
    })
    await world.call('POST', `/v1/tasks/${task.id}/close`, { token: task.token })
    for (const { lease } of held) {
      const dead = await world.settled(lease.id)
      expect([lease.provider, dead.revocationAttempts > 1]).toEqual([lease.provider, true])
    }
    await until(() => aws.live().length + vault.live().length === 0)
  }, 60_000)
})
