import { setTimeout as theProviderAnswers } from 'node:timers/promises'

import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { Secret, type Lease } from '@mayfly/core'

import { begin, endAll, newContainment, openLease } from '../../support/incident-fixtures.ts'
import { activationOf, freshId, leaseIntent, openTask } from '../../support/lease-fixtures.ts'
import { startStoreWorld, type StoreWorld } from '../../support/store-world.ts'
import { until } from '../../support/until.ts'

let world: StoreWorld
beforeAll(async () => {
  world = await startStoreWorld()
})
afterAll(() => world.close())

async function agentWithLeases(count: number): Promise<{ agent: string; leases: Lease[] }> {
  const agent = freshId('agent')
  const task = await openTask(world.store.tasks, { agent })
  const leases: Lease[] = []
  for (let opened = 0; opened < count; opened += 1) leases.push(await openLease(world, { task }))
  return { agent, leases }
}

async function codeOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => 'no error',
    (error: unknown) => (error as { code?: unknown }).code,
  )
}

describe('a containment', () => {
  test('R92 freezes first, then ends exactly what matched, and proves each death', async () => {
    const { agent, leases } = await agentWithLeases(3)
    const other = await openLease(world)
    const { containments } = world.store
    const { id, started } = await containments.begin(newContainment({ agent }))
    expect(started).toBe(true)
    expect(await containments.find(id)).toMatchObject({ state: 'ending', total: 0, frozen: true })
    expect(
      await codeOf(openLease(world, { task: await openTask(world.store.tasks, { agent }) })),
    ).toBe('frozen')
    await containments.collect(id)
    expect(await endAll(world, id, 2)).toBe(3)
    expect(await containments.find(id)).toMatchObject({ state: 'revoking', total: 3 })

    const { claimed } = await world.store.leases.claimMany({
      ...{ limit: 100, visibilitySeconds: 30, except: [] },
    })
    expect(claimed.map(({ lease }) => lease.id).sort()).toEqual(leases.map((one) => one.id).sort())
    expect(claimed.map(({ lease }) => lease.endReason)).toEqual(leases.map(() => 'containment'))
    for (const one of claimed) {
      await world.store.leases.settle(one, { to: 'revoked', proof: 'probe: 401' })
    }
    const finished = await containments.find(id)
    expect(finished).toMatchObject({ state: 'finished', counts: { revoked: 3, queued: 0 } })
    const members = await containments.leases(id, 10)
    const lastDeath = Math.max(...members.map(({ lease }) => Number(lease.revokedAt)))
    expect(Number(finished?.finishedAt)).toBeGreaterThanOrEqual(lastDeath)
    expect((await world.store.leases.find(other.id))?.endedAt).toBeNull()
    await world.store.freezes.lift(finished?.freezeId ?? '', { by: 'people#r', reason: 'over' })
  })

  test('the same request again, or another of the same incident, is the same containment', async () => {
    const { agent } = await agentWithLeases(1)
    const { containments } = world.store
    const idempotency = { key: freshId('key'), requestSha256: 'a' }
    const asked = newContainment({ agent }, { idempotency })
    const all = await Promise.all(
      Array.from({ length: 10 }, () =>
        containments.begin({ ...asked, id: freshId('cnt'), freezeId: freshId('frz') }),
      ),
    )
    expect(new Set(all.map(({ id }) => id)).size).toBe(1)
    expect(all.filter(({ started }) => started)).toHaveLength(1)
    const again = newContainment({ agent }, { incident: asked.incident, by: 'people#other' })
    expect(await containments.begin(again)).toEqual({ id: all[0]?.id, started: false })
    const conflict = { ...asked, idempotency: { ...idempotency, requestSha256: 'b' } }
    expect(await codeOf(containments.begin(conflict))).toBe('idempotency_conflict')
    const [row] = await world.sql(
      'SELECT count(*)::int AS count FROM freezes WHERE selector = $1',
      [JSON.stringify({ agent })],
    )
    expect(row).toEqual({ count: 1 })
  })

  test('that matches nothing, or would freeze until the past, changes nothing', async () => {
    const { containments } = world.store
    const nothing = newContainment({ agent: freshId('nobody') })
    expect(await codeOf(containments.begin(nothing))).toBe('selector_matches_nothing')
    const { agent } = await agentWithLeases(1)
    const late = newContainment({ agent }, { freezeUntil: new Date('2020-01-01') })
    expect(await codeOf(containments.begin(late))).toBe('freeze_expiry_invalid')
    for (const { id, freezeId } of [nothing, late]) {
      expect(await containments.find(id)).toBeNull()
      expect(await world.sql('SELECT id FROM freezes WHERE id = $1', [freezeId])).toEqual([])
    }
  })

  test('tells apart what waits, propagates, failed, cannot be revoked, and died', async () => {
    const { agent, leases } = await agentWithLeases(6)
    const id = await begin(world, { agent })
    await endAll(world, id)
    const set = (index: number, sql: string) =>
      world.sql(`UPDATE leases SET ${sql} WHERE id = $1`, [leases[index]?.id])
    await set(0, `state = 'revoking', sent_at = now(), due_at = now() + interval '9 s'`)
    await set(1, `state = 'revocation_failed', revocation_note = 'provider_unavailable: down'`)
    await set(
      2,
      `state = 'revocation_failed', irrevocable_reason = 'lost', irrevocable_dies_at = now() + interval '1 h'`,
    )
    const dead = `due_at = NULL, sealed_handle = NULL, handle_key_id = NULL`
    await set(3, `state = 'revoked', revoked_at = now(), revocation_proof = 'gone', ${dead}`)
    await set(4, `state = 'expired', ${dead}`)
    const members = await world.store.containments.leases(id, 10)
    expect(new Map(members.map(({ lease, state }) => [lease.id, state]))).toEqual(
      new Map(
        ['propagating', 'failed', 'irrevocable', 'revoked', 'expired', 'queued'].map(
          (state, index) => [leases[index]?.id, state],
        ),
      ),
    )
    expect(members.slice(-2).map(({ nextAttemptAt }) => nextAttemptAt)).toEqual([null, null])
    for (const index of [0, 1, 5]) {
      await set(index, `state = 'revoked', revoked_at = now(), revocation_proof = 'gone', ${dead}`)
    }
    expect(await world.store.containments.find(id)).toMatchObject({ state: 'waiting' })
  })

  test('tries again at once what had failed before, and leaves alone what nothing can kill', async () => {
    const { agent, leases } = await agentWithLeases(2)
    const failed = `state = 'revocation_failed', ended_at = now(), end_reason = 'holder',
      due_at = now() + interval '1 hour'`
    await world.sql(`UPDATE leases SET ${failed} WHERE agent = $1`, [agent])
    await world.sql(
      `UPDATE leases SET irrevocable_reason = 'lost', irrevocable_dies_at = now() WHERE id = $1`,
      [leases[0]?.id],
    )
    await endAll(world, await begin(world, { agent }))
    const due = await world.store.leases.due(1000)
    expect([due.includes(leases[0]?.id ?? ''), due.includes(leases[1]?.id ?? '')]).toEqual([
      false,
      true,
    ])
    expect(await world.store.leases.find(leases[1]?.id ?? '')).toMatchObject({
      endReason: 'holder',
    })
  })

  test('cancelled: lifts its freeze, ends no more, and says what was spared', async () => {
    const { agent } = await agentWithLeases(4)
    const { containments } = world.store
    const id = await begin(world, { agent })
    await containments.endSome(id, 1)
    const act = { by: 'people#responder', reason: 'false alarm' }
    await containments.cancel(id, act)
    expect(await containments.endSome(id, 10)).toBe(0)
    expect(await containments.unended()).not.toContain(id)
    expect(await containments.find(id)).toMatchObject({
      ...{ state: 'cancelled', frozen: false, cancelReason: 'false alarm' },
      counts: { spared: 3, queued: 1 },
    })
    const task = await openTask(world.store.tasks, { agent })
    await expect(openLease(world, { task })).resolves.toBeDefined()
    await containments.cancel(id, act)
  })

  test('that is finished cannot be cancelled, and one that never was is unknown', async () => {
    const { agent, leases } = await agentWithLeases(1)
    const { containments } = world.store
    const id = await begin(world, { agent })
    await endAll(world, id)
    await world.sql(
      `UPDATE leases SET state = 'revoked', revoked_at = now(), revocation_proof = 'gone',
        due_at = NULL, sealed_handle = NULL, handle_key_id = NULL WHERE id = $1`,
      [leases[0]?.id],
    )
    const act = { by: 'people#responder', reason: 'r' }
    expect(await codeOf(containments.cancel(id, act))).toBe('containment_finished')
    expect(await codeOf(containments.cancel('cnt_none', act))).toBe('containment_unknown')
    expect(await containments.find(id)).toMatchObject({ cancelledAt: null, frozen: true })
  })
})

describe('nothing escapes', () => {
  test('G10 R92 200 mints race one freeze, ten times over', async () => {
    const other = world.another()
    const seen = new Set<string | undefined>()
    for (let round = 0; round < 10; round += 1) {
      const { agent } = await agentWithLeases(1)
      const task = await openTask(world.store.tasks, { agent })
      let opened = 0
      const mints = Array.from({ length: 200 }, async (_, index) => {
        const { leases } = index % 2 === 0 ? world.store : other
        const lease = await leases.open(leaseIntent(task))
        opened += 1
        await theProviderAnswers((index % 40) * 10)
        return leases.activate(activationOf(lease))
      })
      const results = Promise.allSettled(mints)
      await until(() => opened > round * 5)
      const id = await begin(world, { agent })
      await endAll(world, id, 37)
      const codes = (await results).map((result) =>
        result.status === 'rejected' ? (result.reason as { code?: string }).code : 'minted',
      )
      for (const code of codes) seen.add(code)
      const [escaped] = await world.sql(
        'SELECT count(*)::int AS count FROM leases WHERE agent = $1 AND ended_at IS NULL',
        [agent],
      )
      expect(escaped).toEqual({ count: 0 })
    }
    expect([...seen].sort()).toEqual(['frozen', 'lease_transition_illegal', 'minted'])
    await other.close()
  }, 120_000)

  test('a mint whose reach is known only from the answer is refused, and kept to be revoked', async () => {
    const task = await openTask(world.store.tasks)
    const byId = { task, pending: true, targets: ['github:org:byid', 'github:repo-id:4202'] }
    const lease = await openLease(world, byId)
    const known = await openLease(world, { targets: ['github:repo:byid/secret'] })
    const other = await begin(world, { lease: known.id })
    const id = await begin(world, { repository: 'byid/secret' })
    const activation = activationOf(lease, { reached: ['github:repo:byid/secret'] })
    expect(await codeOf(world.store.leases.activate(activation))).toBe('frozen')
    expect(await world.store.leases.surrender(activation, 'frozen')).toBe(true)
    expect(await world.store.leases.find(lease.id)).toMatchObject({
      targets: ['github:org:byid', 'github:repo-id:4202', 'github:repo:byid/secret'],
      endReason: 'frozen',
    })
    await endAll(world, id)
    // It is one of those that the containment is about, and no other containment's.
    const idsOf = async (one: string) =>
      (await world.store.containments.leases(one, 10)).map((member) => member.lease.id)
    expect(await idsOf(id)).toEqual([lease.id, known.id].sort())
    expect(await idsOf(other)).toEqual([known.id])
    expect(await world.store.containments.find(id)).toMatchObject({ state: 'revoking', total: 2 })
  })

  test('what died between the freeze and the count of its leases is accounted for', async () => {
    const { agent, leases } = await agentWithLeases(4)
    const task = await openTask(world.store.tasks, { agent })
    const refused = await openLease(world, { task, pending: true })
    const [before, after, live] = leases.map(({ id }) => id)
    const die = async (leaseId = ''): Promise<void> => {
      await world.store.leases.end(leaseId, 'holder')
      const claim = await world.store.leases.claim(leaseId, 30)
      if (claim.outcome !== 'claimed') throw new Error(claim.outcome)
      await world.store.leases.settle(claim.claimed, { to: 'revoked', proof: 'probe: 401' })
    }
    await die(before)
    const asked = newContainment({ agent })
    const { id } = await world.store.containments.begin(asked)
    await die(after)
    await world.store.leases.fail(refused.id, 'provider_rejected')
    await world.store.containments.collect(id)
    const states = new Map(
      (await world.store.containments.leases(id, 10)).map(({ lease, state }) => [lease.id, state]),
    )
    expect(states).toEqual(
      new Map([
        [live, 'queued'],
        [leases[3]?.id, 'queued'],
        [after, 'revoked'],
        [refused.id, 'never_minted'],
      ]),
    )
    expect(await endAll(world, id)).toBe(2)
    expect(await world.store.containments.find(id)).toMatchObject({
      state: 'revoking',
      counts: { queued: 2, revoked: 1, never_minted: 1 },
    })
  })

  test('what an answer told is found like everything else', async () => {
    const lease = await openLease(world, { pending: true, targets: ['github:repo-id:77'] })
    await world.store.leases.activate(activationOf(lease, { reached: ['github:repo:told/repo'] }))
    const { leases } = await world.store.containments.preview({ repository: 'told/repo' }, 10)
    expect(leases.map(({ id }) => id)).toEqual([lease.id])
  })

  test('a pending lease is ended, and its credential is never handed out', async () => {
    const agent = freshId('agent')
    const task = await openTask(world.store.tasks, { agent })
    const lease = await openLease(world, { task, pending: true })
    const id = await begin(world, { agent })
    await endAll(world, id)
    expect(await codeOf(world.store.leases.activate(activationOf(lease)))).toBe(
      'lease_transition_illegal',
    )
    expect(await world.store.containments.leases(id, 10)).toMatchObject([
      { state: 'queued', lease: { state: 'pending', endReason: 'containment' } },
    ])
  })

  test('what is opened after the freeze is over is not in it', async () => {
    const { agent } = await agentWithLeases(1)
    const asked = newContainment({ agent })
    const { id } = await world.store.containments.begin(asked)
    await world.store.freezes.lift(asked.freezeId, { by: 'people#r', reason: 'too wide' })
    const after = await openLease(world, { task: await openTask(world.store.tasks, { agent }) })
    await world.store.containments.collect(id)
    await endAll(world, id)
    expect(await world.store.leases.find(after.id)).toMatchObject({ endedAt: null })
    expect(await world.store.containments.find(id)).toMatchObject({ total: 1 })
  })
})

describe('claims in batches', () => {
  beforeEach(async () => {
    await world.sql(`UPDATE leases SET due_at = now() + interval '1 day' WHERE due_at IS NOT NULL`)
  })

  test('of racing workers each gets other leases, and all of them together get all', async () => {
    const { agent, leases } = await agentWithLeases(60)
    await endAll(world, await begin(world, { agent }))
    const other = world.another()
    const claims = await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        (index % 2 === 0 ? world.store : other).leases.claimMany({
          ...{ limit: 10, visibilitySeconds: 30, except: [] },
        }),
      ),
    )
    const rest = await other.leases.claimMany({ limit: 100, visibilitySeconds: 30, except: [] })
    const claimed = [...claims, rest].flatMap((batch) => batch.claimed)
    const mine = claimed.filter(({ lease }) => lease.agent === agent)
    expect(mine.map(({ lease }) => lease.id).sort()).toEqual(leases.map(({ id }) => id).sort())
    expect(mine.every(({ attempt, handle }) => attempt === 1 && handle instanceof Secret)).toBe(
      true,
    )
    await other.close()
  })

  test('pass over connections that have enough in hand, and leases that are not due', async () => {
    const { agent } = await agentWithLeases(2)
    await endAll(world, await begin(world, { agent }))
    const none = await world.store.leases.claimMany({
      ...{ limit: 10, visibilitySeconds: 30, except: ['github-acme'] },
    })
    expect(none).toEqual({ claimed: [], expired: 0 })
  })

  test('a handle that does not open is reported, and keeps no other lease alive', async () => {
    const { agent, leases } = await agentWithLeases(2)
    await world.sql(`UPDATE leases SET handle_key_id = 'gone' WHERE id = $1`, [leases[0]?.id])
    await endAll(world, await begin(world, { agent }))
    const batch = await world.store.leases.claimMany({
      ...{ limit: 100, visibilitySeconds: 30, except: [] },
    })
    const mine = batch.claimed.filter(({ lease }) => lease.agent === agent)
    expect(mine.map(({ lease }) => lease.id)).toEqual([leases[1]?.id])
    expect(world.reports).toContain('a claimed lease could not be read')
  })
})
