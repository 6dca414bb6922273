import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { ClaimedLease } from '@mayfly/core'

import { activationOf, leaseIntent, openTask } from '../../support/lease-fixtures.ts'
import { startStoreWorld, type StoreWorld } from '../../support/store-world.ts'

let world: StoreWorld
beforeAll(async () => {
  world = await startStoreWorld()
})
afterAll(() => world.close())

/** Leases that have been ended and are held by a revoker. */
async function claimed(count: number): Promise<readonly ClaimedLease[]> {
  const { leases, tasks } = world.store
  const task = await openTask(tasks)
  const opened = Array.from({ length: count }, async () => {
    const lease = await leases.open(leaseIntent(task))
    await leases.activate(activationOf(lease))
    await leases.end(lease.id, 'operator')
    const claim = await leases.claim(lease.id, 30)
    if (claim.outcome !== 'claimed') throw new Error(claim.outcome)
    return claim.claimed
  })
  return Promise.all(opened)
}

describe('leases that are settled at the same time', () => {
  test('each get their own outcome, stored before it is told', async () => {
    const { leases, history } = world.store
    const [dead, sent, failed] = (await claimed(3)) as [ClaimedLease, ClaimedLease, ClaimedLease] // as asked
    const retryAt = new Date(dead.now.getTime() + 5_000)
    const diesAt = failed.lease.credentialExpiresAt
    expect(
      await Promise.all([
        leases.settle(dead, { to: 'revoked', proof: 'probe: 401' }),
        leases.settle(sent, { to: 'propagating', note: 'wait', retryAt, sentAt: sent.now }),
        leases.settle(failed, {
          to: 'revocation_failed',
          note: 'no handle',
          retryAt,
          irrevocable: { reason: 'nothing kills it', diesAt },
        }),
      ]),
    ).toEqual([true, true, true])
    expect(await leases.find(dead.lease.id)).toMatchObject({
      state: 'revoked',
      revocationProof: 'probe: 401',
      irrevocable: null,
    })
    expect(await leases.find(sent.lease.id)).toMatchObject({
      state: 'revoking',
      revokedAt: null,
      revocationNote: 'wait',
    })
    expect(await leases.find(failed.lease.id)).toMatchObject({
      state: 'revocation_failed',
      irrevocable: { reason: 'nothing kills it', diesAt },
    })
    const { events } = await history.of(dead.lease)
    expect(events.at(-1)).toMatchObject({ type: 'lease.revoked' })
  })

  test('R91 one that cannot be stored fails alone', async () => {
    const { leases } = world.store
    const crowd = await claimed(6)
    const settled = await Promise.allSettled(
      // PostgreSQL refuses a text with a null byte in it.
      crowd.map((one, index) =>
        leases.settle(one, { to: 'revoked', proof: index === 3 ? 'a\0b' : 'probe: 401' }),
      ),
    )
    const outcomes = settled.map((one) => (one.status === 'fulfilled' ? one.value : 'refused'))
    expect(outcomes).toEqual([true, true, true, 'refused', true, true])
    expect(await leases.find(crowd[3]?.lease.id ?? '')).toMatchObject({ state: 'revoking' })
  })

  test('one whose claim was lost settles nothing, and the others are settled', async () => {
    const { leases } = world.store
    const crowd = await claimed(5)
    const [, , lost] = crowd
    if (!lost) throw new Error('there are five')
    await world.age(lost.lease.id, 31)
    await leases.claim(lost.lease.id, 30)
    const proof = { to: 'revoked', proof: 'probe: 401' } as const
    const kept = await Promise.all(crowd.map((one) => leases.settle(one, proof)))
    expect(kept).toEqual([true, true, false, true, true])
    expect(await leases.find(lost.lease.id)).toMatchObject({ state: 'revoking', revokedAt: null })
  })

  test('G11 two revokers that hold the same claim settle it once', async () => {
    const crowd = await claimed(30)
    const other = world.another()
    const proof = { to: 'revoked', proof: 'probe: 401' } as const
    const settled = await Promise.all([
      ...crowd.map((one) => world.store.leases.settle(one, proof)),
      ...crowd.toReversed().map((one) => other.leases.settle(one, proof)),
      ...crowd.map((one) => world.store.leases.settle(one, proof)),
    ])
    expect(settled.filter(Boolean)).toHaveLength(30)
    await other.close()
  })
})
