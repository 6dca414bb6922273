import type { Lease } from '@mayfly/core'
import { afterEach, describe, expect, test } from '@jest/globals'

import {
  startAwsStoreWorld,
  type AwsStoreWorld,
  type Revoker,
} from '../../support/aws-store-world.ts'
import { until } from '../../support/until.ts'

const LEASES = 200
const soon = () => AbortSignal.timeout(60_000)
let world: AwsStoreWorld
afterEach(() => world.close())

async function manyLeases(count: number): Promise<readonly Lease[]> {
  const made: Lease[] = []
  for (let left = count; left > 0; left -= 20)
    made.push(
      ...(await Promise.all(Array.from({ length: Math.min(20, left) }, () => world.lease()))),
    )
  return made
}

function tell(what: string, since: number): void {
  const ms = String(Date.now() - since)
  const calls = world.aws.requests().filter((name) => name === 'GetRolePolicy').length
  process.stderr.write(
    `AWS ${what}: ${String(LEASES)} leases of one role, ${String(world.writes())} PutRolePolicy, ${String(calls)} GetRolePolicy, ${ms} ms\n`,
  )
}

describe('R76 many leases of one role revoked at the same time', () => {
  test('that were ended together cost one write', async () => {
    world = await startAwsStoreWorld({ standin: { latencyMs: 50, propagationMs: 100 } })
    const leases = await manyLeases(LEASES)
    const [one, two] = [world.revoker(), world.revoker(world.db.another())]
    for (const { id } of leases) await world.db.store.leases.end(id, 'operator')
    const since = Date.now()
    await Promise.all(leases.map(({ id }, index) => (index % 2 ? one : two).revoke(id, soon())))
    tell('revoked after one containment', since)
    expect(world.writes()).toBe(1)
    await allRevoked(leases, one)
    expect(world.writes()).toBe(1)
    expect(world.aws.live()).toEqual([])
  }, 120_000)

  test('that are ended one by one by their holders cost a few', async () => {
    world = await startAwsStoreWorld({ standin: { latencyMs: 50, propagationMs: 100 } })
    const leases = await manyLeases(LEASES)
    const [one, two] = [world.revoker(), world.revoker(world.db.another())]
    const since = Date.now()
    await Promise.all(
      leases.map(({ id }, index) => (index % 2 ? one : two).end(id, 'holder', soon())),
    )
    tell('ended one by one by two brokers', since)
    expect(world.writes()).toBeLessThan(20)
    await allRevoked(leases, one)
    expect(world.aws.live()).toEqual([])
  }, 120_000)

  async function allRevoked(leases: readonly Lease[], worker: Revoker): Promise<void> {
    await until(async () => {
      for (const id of await world.db.store.leases.due(LEASES)) await worker.revoke(id, soon())
      const [row] = await world.db.sql(
        `SELECT count(*)::int AS revoked FROM leases WHERE id = ANY($1) AND state = 'revoked'
           AND revocation_proof LIKE 'Deny for session lea_% in MayflyRevokedSessions read back%'`,
        [leases.map(({ id }) => id)],
      )
      return row?.['revoked'] === leases.length
    }, 60_000)
  }
})
