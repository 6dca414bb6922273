import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Secret } from '@mayfly/core'

import { activationOf, leaseIntent, openTask, sealingKey } from '../../support/lease-fixtures.ts'
import { startStoreWorld, type StoreWorld } from '../../support/store-world.ts'

let world: StoreWorld
beforeAll(async () => {
  world = await startStoreWorld()
})
afterAll(() => world.close())

describe('signing keys', () => {
  const key = (kid: string): { kid: string; privateJwk: Secret } => ({
    kid,
    privateJwk: new Secret(`{"d":"${kid}"}`),
  })
  const kids = async (): Promise<readonly string[]> =>
    (await world.store.signingKeys.list()).map(({ kid }) => kid)

  test('brokers that need one at once agree on one, and any of them can read it', async () => {
    const other = world.another()
    await Promise.all([
      world.store.signingKeys.add(key('k1')),
      other.signingKeys.add(key('k2')),
      world.store.signingKeys.add(key('k3')),
    ])
    const [kept, ...rest] = await other.signingKeys.list()
    expect(rest).toEqual([])
    expect(kept?.privateJwk.reveal()).toBe(`{"d":"${kept?.kid ?? ''}"}`)
  })

  test('a later one is added, and old ones are forgotten', async () => {
    for (const index of [1, 2, 3, 4, 5, 6]) {
      await world.sql(`UPDATE signing_keys SET created_at = created_at - interval '2 minutes'`)
      await world.store.signingKeys.add(key(`later${String(index)}`))
    }
    expect(await kids()).toEqual(['later6', 'later5', 'later4', 'later3', 'later2'])
  })

  test('a key moved to another row does not open', async () => {
    await world.sql(`UPDATE signing_keys SET kid = 'forged' WHERE kid = 'later6'`)
    await expect(world.store.signingKeys.list()).rejects.toThrow('authenticate')
    await world.sql(`DELETE FROM signing_keys WHERE kid = 'forged'`)
  })
})

describe('sealed handles', () => {
  async function dueLease(handle: string): Promise<string> {
    const { leases, tasks } = world.store
    const lease = await leases.open(leaseIntent(await openTask(tasks)))
    await leases.activate(activationOf(lease, { handle: new Secret(handle) }))
    await leases.end(lease.id, 'operator')
    return lease.id
  }

  test('R117 open after rotation, for whoever still has the old key', async () => {
    const leaseId = await dueLease('ghs_rotated')
    const rotated = world.another([sealingKey('k2'), ...world.sealingKeys])
    const claim = await rotated.leases.claim(leaseId, 30)
    expect(claim.outcome === 'claimed' && claim.claimed.handle?.reveal()).toBe('ghs_rotated')
    await world.age(leaseId, 31)
    const without = world.another([sealingKey('k2')])
    await expect(without.leases.claim(leaseId, 30)).rejects.toThrow('k1 is not configured')
  })

  test('R117 do not open for another lease, nor as another provider’s', async () => {
    const [mine, theirs] = [await dueLease('ghs_mine'), await dueLease('ghs_theirs')]
    await world.sql(
      `UPDATE leases SET sealed_handle = (SELECT sealed_handle FROM leases WHERE id = $2)
         WHERE id = $1`,
      [mine, theirs],
    )
    await expect(world.store.leases.claim(mine, 30)).rejects.toThrow('authenticate')
    await world.sql(`UPDATE leases SET provider = 'vault' WHERE id = $1`, [theirs])
    await expect(world.store.leases.claim(theirs, 30)).rejects.toThrow('authenticate')
  })
})
