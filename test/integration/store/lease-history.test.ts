import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'

import { activationOf, leaseIntent, openTask } from '../../support/lease-fixtures.ts'
import { startStoreWorld, type StoreWorld } from '../../support/store-world.ts'

let world: StoreWorld
beforeAll(async () => {
  world = await startStoreWorld()
})
afterAll(() => world.close())

async function activeLease(fingerprints: readonly string[]) {
  const { leases, tasks } = world.store
  const task = await openTask(tasks)
  const opened = await leases.open(leaseIntent(task))
  return leases.activate(activationOf(opened, { fingerprints }))
}

describe('a lease’s history', () => {
  test('is found by any part of the credential, and by nothing else', async () => {
    const lease = await activeLease(['sha-key', 'sha-secret'])
    const { history } = world.store
    expect(await history.withFingerprint('sha-key')).toEqual([lease])
    expect(await history.withFingerprint('sha-secret')).toEqual([lease])
    for (const other of ['sha', 'SHA-KEY', '', '%', 'sha-key,sha-secret']) {
      expect(await history.withFingerprint(other)).toEqual([])
    }
  })

  test('says who decided, and what happened, without fingerprints', async () => {
    const lease = await activeLease(['sha-story'])
    await world.store.leases.end(lease.id, 'leaked')
    const [ended] = await world.store.history.withFingerprint('sha-story')
    expect(ended).toMatchObject({ id: lease.id, endReason: 'leaked' })
    const { decision, events } = await world.store.history.of(lease)
    expect(decision).toEqual({
      id: lease.decisionId,
      decidedAt: expect.any(Date),
      policies: ['own-repo'],
      policyDigest: 'd'.repeat(64),
      policySetVersion: 1,
    })
    expect(events.map(({ type, facts }) => ({ type, facts }))).toEqual([
      { type: 'lease.pending', facts: expect.objectContaining({ template: 'repo' }) },
      { type: 'lease.active', facts: { credentialExpiresAt: expect.any(String) } },
      { type: 'lease.ended', facts: { reason: 'leaked', from: 'active' } },
    ])
    expect(JSON.stringify(events)).not.toContain('sha-story')
  })

  test('uses the index on fingerprints', async () => {
    await world.sql('SET enable_seqscan = off')
    const plan = await world.sql(`EXPLAIN SELECT id FROM leases WHERE fingerprints @> ARRAY['x']`)
    expect(JSON.stringify(plan)).toContain('leases_fingerprints_idx')
  })

  test('keeps every reason that earlier migrations allow', async () => {
    const [row] = await world.sql(
      `SELECT pg_get_constraintdef(oid) AS rule FROM pg_constraint
         WHERE conname = 'leases_end_reason_check'`,
    )
    for (const reason of ['lease_ended', 'operator', 'leaked']) {
      expect(row?.['rule']).toContain(`'${reason}'::text`)
    }
  })
})
