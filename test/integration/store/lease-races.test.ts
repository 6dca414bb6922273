import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { Claim, Lease, Task } from '@mayfly/core'
import pg from 'pg'

import { activationOf, leaseIntent, openTask } from '../../support/lease-fixtures.ts'
import { startStoreWorld, type StoreWorld } from '../../support/store-world.ts'

let world: StoreWorld
beforeAll(async () => {
  world = await startStoreWorld()
})
afterAll(() => world.close())

/** Works on the same database through two stores, as two processes would. */
async function race<Result>(
  times: number,
  work: (leases: StoreWorld['store']['leases'], index: number) => Promise<Result>,
): Promise<readonly PromiseSettledResult<Result>[]> {
  const other = world.another()
  const stores = [world.store, other]
  const attempts = Array.from({ length: times }, (_, index) =>
    work((stores[index % 2] ?? other).leases, index),
  )
  const results = await Promise.allSettled(attempts)
  await other.close()
  return results
}

function kept<Result>(results: readonly PromiseSettledResult<Result>[]): readonly Result[] {
  return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
}

function refusals(results: readonly PromiseSettledResult<unknown>[]): readonly unknown[] {
  return results.flatMap((result) =>
    result.status === 'rejected' ? [(result.reason as { code?: unknown }).code] : [],
  )
}

async function activeLease(): Promise<Lease> {
  const { leases, tasks } = world.store
  const lease = await leases.open(leaseIntent(await openTask(tasks)))
  return leases.activate(activationOf(lease))
}

describe('claims', () => {
  test('G11 of many racing revokers exactly one gets the lease', async () => {
    const lease = await activeLease()
    await world.store.leases.end(lease.id, 'operator')
    const claims = kept(await race(40, (leases) => leases.claim(lease.id, 30)))
    const outcomes = claims.map(({ outcome }) => outcome).sort()
    expect(outcomes).toEqual(['claimed', ...Array.from({ length: 39 }, () => 'nothing_to_do')])
    expect(await world.store.leases.find(lease.id)).toMatchObject({ revocationAttempts: 1 })
  })

  test('a claim whose time is up goes to the next, and the first can settle nothing', async () => {
    const lease = await activeLease()
    await world.store.leases.end(lease.id, 'operator')
    const first = await mustClaim(lease.id)
    await world.age(lease.id, 31)
    const second = await mustClaim(lease.id)
    expect(second).toMatchObject({ from: 'revoking', attempt: 2 })
    const dead = { to: 'revoked', proof: 'probe: 401' } as const
    expect(await world.store.leases.settle(first, dead)).toBe(false)
    expect(await world.store.leases.settle(second, dead)).toBe(true)
    expect(await world.store.leases.settle(second, dead)).toBe(false)
  })

  test('a claim settles once', async () => {
    const lease = await activeLease()
    await world.store.leases.end(lease.id, 'operator')
    const claimed = await mustClaim(lease.id)
    const propagating = {
      to: 'propagating',
      note: 'wait',
      retryAt: claimed.now,
      sentAt: claimed.now,
    } as const
    const results = kept(await race(10, (leases) => leases.settle(claimed, propagating)))
    expect(results.filter(Boolean)).toEqual([true])
  })

  test('a worker that dies with its claim, and all stores with it, leaves it due again', async () => {
    const lease = await activeLease()
    await world.store.leases.end(lease.id, 'operator')
    const dying = world.another()
    expect(await dying.leases.claim(lease.id, 30)).toMatchObject({ outcome: 'claimed' })
    await dying.close()
    expect(await world.store.leases.due(10)).not.toContain(lease.id)
    await world.age(lease.id, 31)
    const next = world.another()
    expect(await next.leases.due(10)).toContain(lease.id)
    const claim = await next.leases.claim(lease.id, 30)
    expect(claim.outcome === 'claimed' && claim.claimed.handle?.reveal()).toBe(`ghs_${lease.id}`)
  })
})

async function mustClaim(
  leaseId: string,
): Promise<Extract<Claim, { outcome: 'claimed' }>['claimed']> {
  const claim = await world.store.leases.claim(leaseId, 30)
  if (claim.outcome !== 'claimed') throw new Error(`not claimed: ${claim.outcome}`)
  return claim.claimed
}

describe('the end of pending', () => {
  test('a lease is activated once, and never when it was ended or claimed first', async () => {
    const task = await openTask(world.store.tasks)
    const opened = await Promise.all(
      Array.from({ length: 20 }, () => world.store.leases.open(leaseIntent(task))),
    )
    for (const lease of opened) await world.age(lease.id, 31)
    const results = await Promise.all(
      opened.map(async (lease) => {
        const [activated, again, ended, claimed] = await Promise.allSettled([
          world.store.leases.activate(activationOf(lease)),
          world.store.leases.activate(activationOf(lease)),
          world.store.leases.end(lease.id, 'holder'),
          world.store.leases.claim(lease.id, 30),
        ])
        return { id: lease.id, activated, again, ended, claimed }
      }),
    )
    for (const { id, activated, again } of results) {
      expect(kept([activated, again]).length).toBeLessThanOrEqual(1)
      // Whoever won, the lease is on its way to the end, or waits for it with its handle kept.
      const [row] = await world.sql(
        `SELECT due_at IS NOT NULL AS due, ended_at IS NOT NULL AS ended FROM leases WHERE id = $1`,
        [id],
      )
      expect(row).toEqual({ due: true, ended: true })
    }
  })
})

describe('activations that come together', () => {
  test('each caller hears of its own lease', async () => {
    const { leases, tasks } = world.store
    const task = await openTask(tasks)
    const [ended, twice, ...others] = await openedTogether(task, 10)
    if (!ended || !twice) throw new Error('ten were opened')
    await leases.end(ended.id, 'holder')
    const late = activationOf(twice, { fingerprints: ['of the second'] })
    const results = await Promise.allSettled(
      [...others, ended, twice]
        .map((lease) => activationOf(lease))
        .concat(late)
        .map((activation) => leases.activate(activation)),
    )
    expect(kept(results).map(({ id, state }) => `${id} ${state}`)).toEqual(
      [...others, twice].map(({ id }) => `${id} active`),
    )
    expect(refusals(results)).toEqual(['lease_transition_illegal', 'lease_transition_illegal'])
    const [row] = await world.sql('SELECT fingerprints FROM leases WHERE id = $1', [twice.id])
    expect(row).toEqual({ fingerprints: [`sha256 of ${twice.id}`] })
  })

  test('one that the database refuses does not spoil the others', async () => {
    const { leases, tasks } = world.store
    const [broken, ...others] = await openedTogether(await openTask(tasks), 6)
    if (!broken) throw new Error('six were opened')
    const results = await Promise.allSettled([
      ...others.map((lease) => leases.activate(activationOf(lease))),
      leases.activate(activationOf(broken, { credentialExpiresAt: new Date(NaN) })),
    ])
    expect(kept(results).map(({ id }) => id)).toEqual(others.map(({ id }) => id))
    expect(refusals(results)).toEqual(['23502'])
    expect(await leases.find(broken.id)).toMatchObject({ state: 'pending' })
  })
})

function openedTogether(task: Task, count: number): Promise<readonly Lease[]> {
  const { leases } = world.store
  return Promise.all(Array.from({ length: count }, () => leases.open(leaseIntent(task))))
}

describe('closing a task', () => {
  test('G12 R24 two hundred opens against one close leave no live lease that nobody ends', async () => {
    const task = await openTask(world.store.tasks)
    const opens = race(200, (leases) => leases.open(leaseIntent(task)))
    const other = world.another()
    await waitForLeases(task.id, 20)
    const closed = await other.tasks.close(task.id, 'holder')
    const results = await opens
    expect(closed.task.closedAt).toBeInstanceOf(Date)
    expect(new Set(refusals(results))).toEqual(new Set(['task_closed']))
    const opened = kept(results).length
    expect(opened).toBeGreaterThanOrEqual(20)
    expect(opened).toBeLessThan(200)
    expect(
      await world.sql(
        `SELECT count(*)::int AS opened, count(*) FILTER (WHERE ended_at IS NULL)::int AS left_behind
           FROM leases WHERE task_id = $1`,
        [task.id],
      ),
    ).toEqual([{ opened, left_behind: 0 }])
  })

  test('many closes at once close it once, and all of them name the leases that are due', async () => {
    const task = await openTask(world.store.tasks)
    const lease = await world.store.leases.open(leaseIntent(task))
    await world.store.leases.activate(activationOf(lease))
    const results = await Promise.all(
      Array.from({ length: 10 }, () => world.store.tasks.close(task.id, 'holder')),
    )
    expect(results.map(({ leaseIds }) => leaseIds)).toEqual(
      Array.from({ length: 10 }, () => [lease.id]),
    )
    expect(
      await world.sql(
        `SELECT count(*)::int AS count FROM audit_events
        WHERE task_id = $1 AND type IN ('task.closed', 'lease.ended')`,
        [task.id],
      ),
    ).toEqual([{ count: 2 }])
  })
})

async function waitForLeases(taskId: string, count: number): Promise<void> {
  const deadline = Date.now() + 10_000
  for (;;) {
    const [row] = await world.sql('SELECT count(*)::int AS count FROM leases WHERE task_id = $1', [
      taskId,
    ])
    if (Number(row?.['count']) >= count) return
    if (Date.now() > deadline) throw new Error('the leases were not opened')
  }
}

const LIFT = `UPDATE freezes SET lifted_at = now(), lifted_by = 'x', lift_reason = 'x'`

describe('freezes', () => {
  test.each([
    ['everything', true],
    ['template', 'repo'],
    ['agent', 'web-coder'],
    ['provider', 'github'],
  ])(
    'R93 a freeze of %s refuses, and is forgotten when lifted or expired',
    async (scope, value) => {
      const task = await openTask(world.store.tasks)
      const id = `frz_${scope}`
      await world.sql(
        `INSERT INTO freezes (id, selector, reason, created_by) VALUES ($1, $2, 'incident', 'x')`,
        [id, JSON.stringify({ [scope]: value })],
      )
      await expect(world.store.leases.open(leaseIntent(task))).rejects.toMatchObject({
        code: 'frozen',
      })
      await world.sql(`${LIFT} WHERE id = $1`, [id])
      await expect(world.store.leases.open(leaseIntent(task))).resolves.toBeDefined()
      await world.sql(
        `UPDATE freezes SET lifted_at = NULL, lifted_by = NULL, lift_reason = NULL,
          expires_at = now() WHERE id = $1`,
        [id],
      )
      await expect(world.store.leases.open(leaseIntent(task))).resolves.toBeDefined()
    },
  )

  test('a freeze of something else refuses nothing', async () => {
    const task = await openTask(world.store.tasks)
    await world.sql(
      `INSERT INTO freezes (id, selector, reason, created_by) VALUES
        ('frz_a', '{"template": "web-coder"}', 'x', 'x'), ('frz_b', '{"agent": "repo"}', 'x', 'x')`,
    )
    await expect(world.store.leases.open(leaseIntent(task))).resolves.toBeDefined()
  })

  test('an open that comes while a freeze is being stored waits for it, and is refused', async () => {
    const task = await openTask(world.store.tasks)
    const freezing = await session()
    await freezing.query('BEGIN')
    await freezing.query(
      `INSERT INTO freezes (id, selector, reason, created_by)
          VALUES ('frz_1', '{"everything": true}', 'x', 'x')`,
    )
    const opening = world.store.leases.open(leaseIntent(task))
    const refused = expect(opening).rejects.toMatchObject({ code: 'frozen' })
    await untilSomebodyWaits()
    await freezing.query('COMMIT')
    await refused
    await freezing.query(`${LIFT} WHERE id = 'frz_1'`)
    await freezing.end()
  })

  test('a freeze waits for an open that has passed the check, so that a containment sees its lease', async () => {
    const task = await openTask(world.store.tasks)
    const holding = await session()
    // The lock of the limits is taken after the check of the freezes.
    const lock = `19784, hashtext('${task.id} repo')`
    await holding.query(`SELECT pg_advisory_lock(${lock})`)
    const opening = world.store.leases.open(leaseIntent(task, { limits: { liveLeasesPerTask: 9 } }))
    await untilSomebodyWaits()
    const freezing = await session()
    const order: string[] = []
    const frozen = freezing
      .query(
        `INSERT INTO freezes (id, selector, reason, created_by)
          VALUES ('frz_2', '{"everything": true}', 'x', 'x')`,
      )
      .then(() => freezing.query('SELECT state FROM leases WHERE task_id = $1', [task.id]))
      .then(({ rows }) => {
        order.push('frozen')
        return rows as unknown[] // one row for each lease
      })
    await untilSomebodyWaits(2)
    order.push('released')
    await holding.query(`SELECT pg_advisory_unlock(${lock})`)
    await opening
    expect(await frozen).toEqual([{ state: 'pending' }])
    expect(order).toEqual(['released', 'frozen'])
    await freezing.query(`${LIFT} WHERE id = 'frz_2'`)
    await Promise.all([holding.end(), freezing.end()])
  })
})

async function session(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: world.connectionString })
  await client.connect()
  return client
}

async function untilSomebodyWaits(count = 1): Promise<void> {
  const deadline = Date.now() + 10_000
  for (;;) {
    const waiting = await world.sql(
      `SELECT pid FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    )
    if (waiting.length >= count) return
    if (Date.now() > deadline) throw new Error('nobody waits for a lock')
  }
}
