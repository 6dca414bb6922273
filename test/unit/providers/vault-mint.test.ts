import { MintError, Secret, UnacceptableMintError } from '@mayfly/core'
import type { VaultFaultRequest } from '@mayfly/standins'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { z } from 'zod'

import { BROKER_POLICY, PATHS_SCOPE, TOKEN_ROLE } from '../../support/vault-fixture.ts'
import {
  BROKER_TOKEN,
  failureOf,
  inShort,
  mintRequest,
  openVaultWorld,
  secretIn,
  soon,
  type VaultWorld,
} from '../../support/vault-world.ts'

let world: VaultWorld
beforeEach(async () => {
  world = await openVaultWorld({
    appRoles: [{ roleId: 'role', secretId: 'secret', policies: ['broker'], ttlSeconds: 100 }],
  })
})
afterEach(() => world.stop())

const DATABASE_SCOPE = { database: { role: 'readonly' } }
const CREATE = 'auth/token/create/'
const policySchema = z.object({ data: z.object({ keys: z.array(z.string()) }) })

async function ourPolicies(): Promise<readonly string[]> {
  const { json } = await world.ask('GET sys/policies/acl?list=1')
  return policySchema.parse(json).data.keys.filter((name) => name.startsWith('mayfly-'))
}

test.each([PATHS_SCOPE, DATABASE_SCOPE])(
  'a life is counted from the instant that the caller takes for now, not by a clock that is wrong',
  async (scope) => {
    const now = new Date(world.clock.now().getTime() + 300_000)
    const { credentialExpiresAt } = await world.mint(scope, { now })
    expect(credentialExpiresAt.getTime() - now.getTime()).toBeGreaterThanOrEqual(600_000)
  },
)

test('R80 a token is a service token with one policy, a fixed end and the lease in its metadata', async () => {
  const minted = await world.mint()
  const [policy] = await ourPolicies()
  const [issued] = world.vault.issued()
  expect(issued).toMatchObject({
    policies: [policy],
    meta: {
      lease: 'lea_1',
      task: 'tsk_1',
      agent: 'claude-payments',
      owner: 'ada@acme.example',
      template: 'payments-read',
    },
    expiresAt: new Date('2026-11-23T12:10:00Z'),
  })
  const { json } = await world.ask('POST auth/token/lookup-accessor', {
    accessor: issued?.accessor,
  })
  expect(json).toMatchObject({
    data: { type: 'service', renewable: false, orphan: true, explicit_max_ttl: 600, num_uses: 0 },
  })
  expect(minted.credentialExpiresAt).toEqual(new Date('2026-11-23T12:10:00Z'))
  expect(minted.credential).toEqual({
    token: expect.any(Secret),
    address: world.vault.url.origin,
  })
})

test('the same scope uses one policy, however it is written', async () => {
  const both = { path: 'kv/data/apps/payments', capabilities: ['read', 'update'] }
  const other = { path: 'kv/data/apps/other', capabilities: ['read'] }
  await world.mint({ paths: [both, other] })
  await world.mint({ paths: [other, { ...both, capabilities: ['update', 'read'] }] })
  await world.mint({
    paths: [other, { ...both, capabilities: ['read'] }, { ...both, capabilities: ['update'] }],
  })
  const names = await ourPolicies()
  expect(names).toHaveLength(1)
  const { json } = await world.ask(`GET sys/policies/acl/${names[0] ?? ''}`)
  expect(json).toMatchObject({
    data: {
      policy:
        '{"path":{"kv/data/apps/other":{"capabilities":["read"]},"kv/data/apps/payments":{"capabilities":["read","update"]}}}',
    },
  })
})

test('a policy that says something else than its name is refused, and nothing is minted', async () => {
  await world.mint()
  const [name] = await ourPolicies()
  const policy = '{"path":{"*":{"capabilities":["sudo"]}}}'
  await world.ask(`PUT sys/policies/acl/${name ?? ''}`, { policy })
  const error = await failureOf(world.mint())
  expect(inShort(error)).toEqual({
    code: 'provider_rejected',
    retryable: false,
    effect: 'none',
    reason: 'policy_changed',
  })
  expect(world.vault.issued()).toHaveLength(1)
})

test('maxUses limits how often a token works', async () => {
  const scope = { paths: [{ path: 'kv/data/apps/payments', capabilities: ['read'] }], maxUses: 1 }
  const token = secretIn((await world.mint(scope)).credential)
  const read = async () => (await world.ask('GET kv/data/apps/payments', undefined, token)).status
  expect([await read(), await read()]).toEqual([200, 403])
})

test('R81 a database user is handed out without the token that it hangs on', async () => {
  const { credential, handle, credentialExpiresAt } = await world.mint(DATABASE_SCOPE)
  expect(credential).toEqual({
    username: expect.stringMatching(/^v-token-readonly-/),
    password: expect.any(Secret),
  })
  const [token, user] = world.vault.issued()
  expect(JSON.parse(handle.reveal())).toEqual({
    by: 'accessor',
    accessor: token?.accessor,
    dynamicLease: user?.leaseId,
    url: world.vault.url.origin,
    namespace: null,
  })
  // What the database itself enforces, should Vault be gone by then.
  expect(credentialExpiresAt).toEqual(new Date('2026-11-23T13:00:00Z'))
})

test('users that live longer than was promised are not handed out', async () => {
  const error = await failureOf(world.mint({ database: { role: 'longlived' } }))
  expect(error).toBeInstanceOf(UnacceptableMintError)
  if (!(error instanceof UnacceptableMintError)) return
  await world.provider.revoke(error.minted.handle, soon(), new Date())
  expect(world.vault.live()).toEqual([])
})

test('a database role that does not exist leaves no token behind', async () => {
  const error = await failureOf(world.mint({ database: { role: 'nosuch' } }))
  expect(inShort(error)).toEqual({
    code: 'provider_rejected',
    retryable: false,
    effect: 'none',
    reason: 'request_refused',
  })
  expect(world.vault.issued()).toHaveLength(1)
  expect(world.vault.live()).toEqual([])
})

test('a database user whose answer was lost dies with its token, and the effect is unknown', async () => {
  world.vault.fault({ path: 'database/', fault: { kind: 'lost' } })
  const error = await failureOf(world.mint(DATABASE_SCOPE))
  expect(error).toMatchObject({ code: 'provider_unavailable', effect: 'unknown' })
  expect(world.vault.issued()).toHaveLength(2)
  expect(world.vault.live()).toEqual([])
})

describe('R80 a token that is not as asked is surrendered, not handed out', () => {
  test.each([
    ['with another policy', { policies: ['mayfly-x', 'admin'] }],
    ['with an identity policy', { identity_policies: ['admin'] }],
    ['of an entity', { entity_id: 'e-1' }],
    ['that can be renewed', { renewable: true }],
    ['that dies with the broker', { orphan: false }],
    ['that lives longer', { lease_duration: 601 }],
    ['that never dies', { lease_duration: 0 }],
  ])('one %s', async (_what, auth) => {
    world.vault.fault({ path: CREATE, times: 1, fault: { kind: 'alter', auth } })
    const error = await failureOf(world.mint())
    expect(error).toMatchObject({ code: 'provider_overbroad', minted: { credential: {} } })
    if (!(error instanceof UnacceptableMintError)) throw error
    await world.provider.revoke(error.minted.handle, soon(), new Date())
    expect(world.vault.live()).toEqual([])
  })

  test('a batch token has nothing to revoke it by, and says so until it dies', async () => {
    await world.stop()
    world = await openVaultWorld({ tokenRoles: { mayfly: { ...TOKEN_ROLE, token_type: 'batch' } } })
    const error = await failureOf(world.mint())
    if (!(error instanceof UnacceptableMintError)) throw error
    const { handle, credentialExpiresAt } = error.minted
    expect(credentialExpiresAt).toEqual(new Date('2026-11-23T12:10:00Z'))
    expect(
      inShort(await failureOf(world.provider.revoke(handle, soon(), new Date()))),
    ).toMatchObject({
      code: 'provider_rejected',
      reason: 'batch_token',
    })
    const now = world.clock.now()
    const sent = { leaseId: 'lea_1', sentAt: now, now }
    expect(await world.provider.verifyDead(handle, sent, soon())).toMatchObject({
      dead: false,
      retryAt: credentialExpiresAt,
    })
  })
})

describe('errors say what happened upstream and what to do', () => {
  const status = (code: number, more = {}): VaultFaultRequest['fault'] => ({
    kind: 'status',
    status: code,
    errors: [`echo of ${BROKER_TOKEN}`],
    ...more,
  })
  const rejected = { code: 'provider_rejected', retryable: false, effect: 'none' }
  const unknown = { code: 'provider_unavailable', retryable: true, effect: 'unknown' }
  const throttled = { code: 'provider_throttled', retryable: true, effect: 'none' }

  test.each([
    ['400', status(400), { ...rejected, reason: 'request_refused' }],
    ['401', status(401), { ...rejected, reason: 'request_refused' }],
    ['403', status(403), { ...rejected, reason: 'forbidden' }],
    ['404', status(404), { ...rejected, reason: 'request_refused' }],
    ['412', status(412), { ...unknown, reason: 'vault_failed' }],
    ['429', status(429, { retryAfterSeconds: 7 }), { ...throttled, reason: 'rate_limited' }],
    ['473', status(473), { ...unknown, reason: 'vault_failed' }],
    ['500', status(500), { ...unknown, reason: 'vault_failed' }],
    ['503', status(503), { ...unknown, reason: 'vault_failed' }],
    ['a redirect', status(307), { ...rejected, reason: 'redirected' }],
    ['garbage', { kind: 'garbage' as const }, { ...unknown, reason: 'answer_unreadable' }],
    ['nothing', { kind: 'empty' as const }, { ...unknown, reason: 'answer_unreadable' }],
    ['megabytes', { kind: 'oversized' as const }, { ...unknown, reason: 'answer_unreadable' }],
    ['no answer', { kind: 'lost' as const }, { ...unknown, reason: 'connection_lost' }],
  ])('%s to the mint', async (_what, fault, expected) => {
    world.vault.fault({ path: CREATE, fault })
    const error = await failureOf(world.mint())
    expect(inShort(error)).toEqual(expected)
    expect(`${error.message}${String(error.cause)}`).not.toContain(BROKER_TOKEN)
    if (expected.code === 'provider_throttled') expect(error.retryAfterSeconds).toBe(7)
  })

  test('silence ends with our own deadline', async () => {
    world.vault.fault({ path: CREATE, fault: { kind: 'hang' } })
    const impatient = world.connect({}, { timeoutMs: 100 })
    const mint = impatient.prepare(PATHS_SCOPE).mint(mintRequest(world.clock.now()), soon())
    expect(inShort(await failureOf(mint))).toEqual({ ...unknown, reason: 'timeout' })
  })

  test('whatever fails before the token is asked for has no effect', async () => {
    for (const fault of [status(503), { kind: 'garbage' as const }, { kind: 'lost' as const }]) {
      world.vault.fault({ path: 'sys/policies/acl/', times: 1, fault })
      const error = await failureOf(world.mint())
      expect(error).toBeInstanceOf(MintError)
      expect(error).toMatchObject({ code: 'provider_unavailable', effect: 'none' })
    }
    expect(world.vault.issued()).toEqual([])
  })

  test('a broker without the documented policy is told what it lacks', async () => {
    const policy = BROKER_POLICY.replace('auth/token/create/mayfly', 'auth/token/create/other')
    await world.ask('PUT sys/policies/acl/broker', { policy })
    const error = await failureOf(world.mint())
    expect(inShort(error)).toEqual({ ...rejected, reason: 'forbidden' })
    expect(error.message).toContain('update on auth/token/create/mayfly')
  })
})

describe('a broker with an AppRole', () => {
  const SETTINGS = { auth: { approle: { roleId: 'role', secretId: 'env:ID' } } }
  const logins = () =>
    world.vault.requests().filter((line) => line === 'POST /v1/auth/approle/login').length
  const connect = (secretId = 'secret') =>
    world.connect(SETTINGS, { resolveSecret: () => new Secret(secretId) })
  const mintWith = (provider: ReturnType<typeof connect>) =>
    provider.prepare(PATHS_SCOPE).mint(mintRequest(world.clock.now()), soon())

  test('logs in once, again before the login ends, and again when it was revoked', async () => {
    const provider = connect()
    await Promise.all([mintWith(provider), mintWith(provider)])
    await mintWith(provider)
    const before = logins()
    world.clock.advance(80)
    await mintWith(provider)
    expect(logins()).toBe(before + 1)
    world.vault.fault({ path: 'sys/', times: 1, fault: { kind: 'status', status: 403 } })
    await mintWith(provider)
    expect(logins()).toBe(before + 2)
  })

  test('R83 what it minted outlives the login', async () => {
    const { credential } = await mintWith(connect())
    world.clock.advance(101)
    const read = await world.ask('GET kv/data/apps/payments', undefined, secretIn(credential))
    expect(read.status).toBe(200)
  })

  test('fails without effect when it may not log in, and names neither id', async () => {
    const error = await failureOf(mintWith(connect('wrong-secret-id')))
    expect(inShort(error)).toEqual({
      code: 'provider_rejected',
      retryable: false,
      effect: 'none',
      reason: 'request_refused',
    })
    expect(error.message).not.toContain('wrong-secret-id')
  })
})

test('VAULT_TOKEN and its like in the environment are never used', async () => {
  process.env['VAULT_NAMESPACE'] = 'somewhere-else'
  process.env['VAULT_PREFIX'] = '/elsewhere'
  try {
    const provider = world.connect()
    await provider.prepare(PATHS_SCOPE).mint(mintRequest(world.clock.now()), soon())
  } finally {
    delete process.env['VAULT_NAMESPACE']
    delete process.env['VAULT_PREFIX']
  }
  expect(world.vault.live()).toHaveLength(1)
})
