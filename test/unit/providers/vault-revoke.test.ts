import { Secret, type Death, type RevocationHandle } from '@mayfly/core'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'

import { BROKER_POLICY, PATHS_SCOPE } from '../../support/vault-fixture.ts'
import {
  failureOf,
  inShort,
  openVaultWorld,
  soon,
  type VaultWorld,
} from '../../support/vault-world.ts'

let world: VaultWorld
beforeEach(async () => {
  world = await openVaultWorld()
})
afterEach(() => world.stop())

const DATABASE_SCOPE = { database: { role: 'readonly' } }

function death(handle: RevocationHandle, sentSecondsAgo = 0): Promise<Death> {
  const now = world.clock.now()
  const sentAt = new Date(now.getTime() - sentSecondsAgo * 1000)
  return world.provider.verifyDead(handle, { leaseId: 'lea_1', sentAt, now }, soon())
}

const revoke = (handle: RevocationHandle) => world.provider.revoke(handle, soon(), new Date())

describe('R81 an unknown accessor is done', () => {
  test.each([
    ['as a warning', undefined],
    ['as an error', ['1 error occurred:\n\t* invalid accessor\n\n']],
    ['as an error without wrapping', ['invalid accessor']],
  ])('%s', async (_what, errors) => {
    const { handle } = await world.mint()
    await revoke(handle)
    if (errors) {
      const path = 'auth/token/revoke-accessor'
      world.vault.fault({ path, fault: { kind: 'status', status: 400, errors } })
    }
    await expect(revoke(handle)).resolves.toBeUndefined()
    expect(await death(handle)).toMatchObject({ dead: true })
  })
})

describe('nothing else is', () => {
  const permission = '1 error occurred:\n\t* permission denied\n\n'
  test.each([
    ['403', 403, [permission], 'provider_rejected'],
    ['403 that mentions it', 403, ['no invalid accessor here'], 'provider_rejected'],
    ['400 about something else', 400, ['missing accessor'], 'provider_rejected'],
    ['404', 404, ['namespace not found'], 'provider_rejected'],
    ['429', 429, ['slow down'], 'provider_throttled'],
    ['503', 503, ['Vault is sealed'], 'provider_unavailable'],
  ])('%s', async (_what, status, errors, code) => {
    const { handle } = await world.mint()
    world.vault.fault({ path: 'auth/token/', fault: { kind: 'status', status, errors } })
    expect(await failureOf(revoke(handle))).toMatchObject({ code })
    expect(await failureOf(deathOrThrow(handle))).toMatchObject({ code })
    world.vault.fault({ fault: null })
    expect(world.vault.live()).toHaveLength(1)
  })

  test.each(['garbage', 'empty', 'lost'] as const)('%s', async (kind) => {
    const { handle } = await world.mint()
    world.vault.fault({ path: 'auth/token/', fault: { kind } })
    expect(await failureOf(revoke(handle))).toMatchObject({ code: 'provider_unavailable' })
    expect(await failureOf(deathOrThrow(handle))).toMatchObject({ code: 'provider_unavailable' })
  })

  async function deathOrThrow(handle: RevocationHandle): Promise<void> {
    expect(await death(handle)).toMatchObject({ dead: false })
  }
})

test('R81 the database user is removed at once, and before its token', async () => {
  const { handle } = await world.mint(DATABASE_SCOPE)
  expect(await death(handle)).toMatchObject({ dead: false })
  await revoke(handle)
  const ending = world.vault.requests().filter((line) => line.includes('revoke'))
  expect(ending).toEqual(['POST /v1/sys/leases/revoke', 'POST /v1/auth/token/revoke-accessor'])
  expect(await death(handle)).toEqual({
    dead: true,
    proof: "Vault knows neither the database user's lease nor its token's accessor",
  })
})

test('R85 a user that the database would not drop is retried, and its token kept until then', async () => {
  const { handle } = await world.mint(DATABASE_SCOPE)
  const errors = ['failed to revoke entry: connection refused']
  world.vault.fault({ path: 'sys/leases/revoke', fault: { kind: 'status', status: 400, errors } })
  expect(inShort(await failureOf(revoke(handle)))).toEqual({
    code: 'provider_unavailable',
    retryable: true,
    reason: 'vault_failed',
  })
  expect(world.vault.live()).toHaveLength(2)
  world.vault.fault({ fault: null })
  await revoke(handle)
  expect(world.vault.live()).toEqual([])
})

test('a user is not dead while its lease is known, even when its token is gone', async () => {
  const { handle } = await world.mint(DATABASE_SCOPE)
  const [token] = world.vault.issued()
  await world.ask('POST auth/token/revoke-accessor', { accessor: token?.accessor })
  world.vault.fault({ path: 'sys/leases/lookup', times: 1, fault: { kind: 'garbage' } })
  expect(await failureOf(death(handle).then(() => undefined))).toMatchObject({
    code: 'provider_unavailable',
  })
  expect(await death(handle)).toMatchObject({ dead: true })
})

describe('R89 a token whose answer was lost', () => {
  const handleBefore = () =>
    world.provider.prepare(PATHS_SCOPE).handleBeforeMint('lea_1') ?? new Secret('')

  async function mintAndLose(): Promise<void> {
    world.vault.fault({ path: 'auth/token/create/', times: 1, fault: { kind: 'lost' } })
    await failureOf(world.mint())
  }

  test('is found by the lease in its metadata, and no other token is touched', async () => {
    await world.mint(PATHS_SCOPE, { leaseId: 'lea_2' })
    await mintAndLose()
    await revoke(handleBefore())
    expect(world.vault.live().map(({ meta }) => meta?.['lease'])).toEqual(['lea_2'])
  })

  test('is not called dead while Vault may still be minting it', async () => {
    await revoke(handleBefore())
    expect(await death(handleBefore(), 89)).toEqual({
      dead: false,
      reason: 'Vault may still be carrying out the request whose answer was lost',
      retryAt: new Date(world.clock.now().getTime() + 1000),
    })
    await mintAndLose()
    expect(await death(handleBefore(), 90)).toMatchObject({ dead: false })
    await revoke(handleBefore())
    expect(await death(handleBefore(), 90)).toMatchObject({ dead: true })
  })

  test('cannot be found by a broker that may not list accessors, and the error says so', async () => {
    const policy = BROKER_POLICY.replace('"list", "sudo"', '"list"')
    await world.ask('PUT sys/policies/acl/broker', { policy })
    await mintAndLose()
    const error = await failureOf(revoke(handleBefore()))
    expect(inShort(error)).toEqual({
      code: 'provider_rejected',
      retryable: false,
      reason: 'forbidden',
    })
    expect(error.message).toContain('list and sudo on auth/token/accessors/')
  })

  test('is not taken for gone when looking it up is forbidden', async () => {
    await mintAndLose()
    const forbidden = { kind: 'status' as const, status: 403, errors: ['permission denied'] }
    world.vault.fault({ path: 'auth/token/lookup-accessor', fault: forbidden })
    expect(await failureOf(revoke(handleBefore()))).toMatchObject({ code: 'provider_rejected' })
  })

  test('is found although other accessors have lost their tokens', async () => {
    await mintAndLose()
    const bad = { kind: 'status' as const, status: 403, errors: ['bad token'] }
    world.vault.fault({ path: 'auth/token/lookup-accessor', times: 1, fault: bad })
    await revoke(handleBefore())
    await revoke(handleBefore())
    expect(world.vault.live()).toEqual([])
  })
})

test('a handle from another Vault or namespace is refused: asked here, its token would look dead', async () => {
  const elsewhere = world.connect({ namespace: 'acme' })
  const { handle } = await world.mint()
  expect(await failureOf(elsewhere.revoke(handle, soon(), new Date()))).toMatchObject({
    code: 'provider_rejected',
  })
  const now = world.clock.now()
  const asked = elsewhere.verifyDead(handle, { leaseId: 'lea_1', sentAt: now, now }, soon())
  expect(await failureOf(asked)).toMatchObject({ code: 'provider_rejected' })
})
