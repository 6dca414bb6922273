import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import type { Json } from '@mayfly/core'
import type { StoredPolicySet } from '@mayfly/store'

import { startStoreWorld, type StoreWorld } from '../../support/store-world.ts'

let world: StoreWorld
beforeEach(async () => {
  world = await startStoreWorld()
})
afterEach(() => world.close())

function template(name: string, maxTtl: string): Json {
  return {
    apiVersion: 'mayfly.dev/v1',
    kind: 'ScopeTemplate',
    metadata: { name },
    spec: { ttl: { max: maxTtl } },
  }
}

const owner: Json = {
  apiVersion: 'mayfly.dev/v1',
  kind: 'Owner',
  metadata: { name: 'a' },
  spec: {},
}
const appliedBy = 'acme-sso#alice'

async function apply(digest: string, documents: readonly Json[]): Promise<StoredPolicySet> {
  return (await world.store.policySets.apply({ documents, digest, appliedBy })).policySet
}

describe('applying policy sets', () => {
  test('there is none at first', async () => {
    expect(await world.store.policySets.current()).toBeNull()
    expect(await world.store.policySets.load(1)).toBeNull()
  })

  test('a set gets the next version and stays what it was', async () => {
    const documents = [template('one', '10m'), owner]
    const first = await apply('d1', documents)
    expect(first).toEqual({
      version: 1,
      digest: 'd1',
      documents,
      templateVersions: new Map([['one', 1]]),
      appliedBy,
      appliedAt: first.appliedAt,
    })
    const second = await apply('d2', [owner])
    expect(second.version).toBe(2)
    expect(await world.store.policySets.current()).toEqual(second)
    expect(await world.store.policySets.load(1)).toEqual(first)
    await expect(world.sql(`UPDATE policy_sets SET digest = 'x'`)).rejects.toMatchObject({
      code: '42501',
    })
  })

  test('a template keeps the version of the set in which it last changed', async () => {
    await apply('d1', [template('one', '10m'), template('two', '10m')])
    const second = await apply('d2', [template('two', '20m'), template('one', '10m')])
    expect(second.templateVersions).toEqual(
      new Map([
        ['two', 2],
        ['one', 1],
      ]),
    )
    const third = await apply('d3', [template('one', '10m'), template('three', '1m')])
    expect(third.templateVersions).toEqual(
      new Map([
        ['one', 1],
        ['three', 3],
      ]),
    )
    const fourth = await apply('d4', [template('two', '20m')])
    expect(fourth.templateVersions).toEqual(new Map([['two', 4]]))
  })

  test('the set in force, applied again, changes nothing; an older one, applied again, does', async () => {
    const first = await apply('d1', [owner])
    const again = await world.store.policySets.apply({
      documents: [owner],
      digest: 'd1',
      appliedBy,
    })
    expect(again).toEqual({ applied: false, policySet: first })
    await apply('d2', [template('one', '1m')])
    expect((await apply('d1', [owner])).version).toBe(3)
  })

  test('many at once get versions one after the other', async () => {
    const sets = await Promise.all(
      Array.from({ length: 10 }, (_, index) => apply(`d${String(index)}`, [owner])),
    )
    expect(sets.map(({ version }) => version).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 10 }, (_, index) => index + 1),
    )
    expect(
      await world.sql(`SELECT count(*)::int AS count FROM audit_events
        WHERE type = 'policy_set.applied' AND subject = '${appliedBy}'`),
    ).toEqual([{ count: 10 }])
  })
})

describe('subscribing', () => {
  async function until(condition: () => boolean, milliseconds: number): Promise<void> {
    const deadline = Date.now() + milliseconds
    while (!condition()) {
      if (Date.now() > deadline) throw new Error('it did not happen in time')
      await world.sql('SELECT 1')
    }
  }

  test('another broker sees the set in force at once, and each change within a second', async () => {
    await apply('d1', [owner])
    const seen: number[] = []
    const other = world.another()
    const subscription = await other.policySets.subscribe(({ version }) => void seen.push(version))
    expect(seen).toEqual([1])
    await apply('d2', [template('one', '1m')])
    await until(() => seen.includes(2), 1_000)
    await apply('d3', [owner])
    await until(() => seen.includes(3), 1_000)
    expect(seen).toEqual([1, 2, 3])
    await subscription.stop()
    await apply('d4', [template('one', '2m')])
    expect(seen).toEqual([1, 2, 3])
  })

  test('a session that is cut is replaced, and what it missed is found', async () => {
    const seen: number[] = []
    const subscription = await world.store.policySets.subscribe(
      ({ version }) => void seen.push(version),
    )
    const listeners = `FROM pg_stat_activity
      WHERE application_name = 'mayfly-policy' AND datname = current_database()`
    await world.sql(`SELECT pg_terminate_backend(pid) ${listeners}`)
    await apply('d1', [owner])
    await until(() => seen.includes(1), 3_000)
    let sessions = 0
    const deadline = Date.now() + 5_000
    while (sessions === 0 && Date.now() < deadline)
      sessions = (await world.sql(`SELECT pid ${listeners}`)).length
    expect(sessions).toBe(1)
    await subscription.stop()
  })

  test('a set that cannot be put in force is reported and passed over', async () => {
    const seen: number[] = []
    const subscription = await world.store.policySets.subscribe(({ version }) => {
      if (version === 1) throw new Error('does not compile here')
      seen.push(version)
    })
    await apply('d1', [owner])
    await until(() => world.reports.length > 0, 3_000)
    await apply('d2', [template('one', '1m')])
    await until(() => seen.length > 0, 3_000)
    expect(seen).toEqual([2])
    expect(world.reports).toEqual(['a policy set could not be put in force'])
    await subscription.stop()
  })
})
