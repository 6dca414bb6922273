import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'

import { activationOf, leaseIntent, openTask } from '../../support/lease-fixtures.ts'
import { startStoreWorld, type StoreWorld } from '../../support/store-world.ts'

describe('R96 how things stand', () => {
  let world: StoreWorld
  beforeAll(async () => {
    world = await startStoreWorld()
  })
  afterAll(() => world.close())

  async function open(provider: 'github' | 'aws', active = true): Promise<string> {
    const task = await openTask(world.store.tasks)
    const lease = await world.store.leases.open(leaseIntent(task, { provider }))
    if (active) await world.store.leases.activate(activationOf(lease))
    return lease.id
  }

  test('nothing at all is told as nothing', async () => {
    expect(await world.store.levels()).toEqual({
      leases: [],
      openTasks: 0,
      freezes: 0,
      policySetVersion: 0,
    })
  })

  test('tells live, overdue, unrevoked, orphaned and irrevocable leases apart', async () => {
    await open('github')
    const overdue = await open('github')
    await world.age(overdue, 700)
    const orphan = await open('aws', false)
    await world.age(orphan, 60)
    const over = await open('aws')
    await world.sql(
      `UPDATE leases SET state = 'revoked', due_at = NULL, revoked_at = now(),
      revocation_proof = 'gone', sealed_handle = NULL, handle_key_id = NULL WHERE id = $1`,
      [over],
    )
    const lost = await open('github', false)
    await world.store.leases.end(lost, 'mint_unconfirmed')
    await world.age(lost, 60)
    const claim = await world.store.leases.claim(lost, 30)
    if (claim.outcome !== 'claimed') throw new Error(claim.outcome)
    const diesAt = claim.claimed.lease.credentialExpiresAt
    await world.store.leases.settle(claim.claimed, {
      to: 'revocation_failed',
      note: 'nothing to revoke with',
      retryAt: diesAt,
      irrevocable: { reason: 'lost', diesAt },
    })

    const { leases, openTasks } = await world.store.levels()
    const none = { overdue: 0, overdueSeconds: null, unrevoked: 0, unrevokedSeconds: null }
    const calm = { ...none, orphaned: 0, irrevocable: 0, irrevocableUntil: null }
    expect(openTasks).toBe(5)
    expect(
      [...leases].sort((a, b) => (a.provider + a.state < b.provider + b.state ? -1 : 1)),
    ).toEqual([
      {
        ...calm,
        ...{ provider: 'aws', state: 'pending', leases: 1, overdue: 1, orphaned: 1 },
        overdueSeconds: expect.closeTo(30, -1),
      },
      {
        ...calm,
        ...{ provider: 'github', state: 'active', leases: 2, overdue: 1, unrevoked: 1 },
        overdueSeconds: expect.closeTo(670, -1),
        unrevokedSeconds: expect.closeTo(100, -1),
      },
      {
        ...calm,
        ...{
          provider: 'github',
          state: 'revocation_failed',
          leases: 1,
          orphaned: 1,
          irrevocable: 1,
        },
        irrevocableUntil: diesAt.getTime() / 1000,
      },
    ])
  })
})
