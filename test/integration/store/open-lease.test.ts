import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { Idempotency, LeaseFilter } from '@mayfly/core'

import { activationOf, freshId, leaseIntent, openTask } from '../../support/lease-fixtures.ts'
import { startStoreWorld, type StoreWorld } from '../../support/store-world.ts'

let world: StoreWorld
beforeAll(async () => {
  world = await startStoreWorld()
})
afterAll(() => world.close())

const request = (key: string, requestSha256 = 'body'): { idempotency: Idempotency } => ({
  idempotency: { key, requestSha256 },
})

describe('R26 a request that is sent again', () => {
  test('is told that its credential was delivered', async () => {
    const task = await openTask(world.store.tasks)
    const lease = await world.store.leases.open(leaseIntent(task, request('a')))
    await expect(world.store.leases.open(leaseIntent(task, request('a')))).rejects.toMatchObject({
      code: 'credential_already_delivered',
      details: { leaseId: lease.id },
    })
  })

  test('conflicts when its body is another one', async () => {
    const task = await openTask(world.store.tasks)
    await world.store.leases.open(leaseIntent(task, request('a')))
    await expect(
      world.store.leases.open(leaseIntent(task, request('a', 'another body'))),
    ).rejects.toMatchObject({ code: 'idempotency_conflict' })
  })

  test('mints again when the provider had refused, once', async () => {
    const task = await openTask(world.store.tasks)
    const refused = await world.store.leases.open(leaseIntent(task, request('a')))
    await world.store.leases.fail(refused.id, 'provider_throttled')
    await expect(world.store.leases.open(leaseIntent(task, request('a')))).resolves.toBeDefined()
    await expect(world.store.leases.open(leaseIntent(task, request('a')))).rejects.toMatchObject({
      code: 'credential_already_delivered',
    })
  })

  test('and sent many times at once mints once', async () => {
    const task = await openTask(world.store.tasks)
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, () => world.store.leases.open(leaseIntent(task, request('a')))),
    )
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(
      await world.sql('SELECT count(*)::int AS count FROM leases WHERE task_id = $1', [task.id]),
    ).toEqual([{ count: 1 }])
  })

  test('does not meet the same key of another task', async () => {
    const [one, other] = [await openTask(world.store.tasks), await openTask(world.store.tasks)]
    await world.store.leases.open(leaseIntent(one, request('a')))
    await expect(world.store.leases.open(leaseIntent(other, request('a')))).resolves.toBeDefined()
  })
})

describe('R25 limits', () => {
  test('no more live leases of a template in a task than it allows, however many ask at once', async () => {
    const task = await openTask(world.store.tasks)
    const limits = { liveLeasesPerTask: 2 }
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, () => world.store.leases.open(leaseIntent(task, { limits }))),
    )
    const opened = results.flatMap((result) =>
      result.status === 'fulfilled' ? [result.value] : [],
    )
    expect(opened).toHaveLength(2)

    const [first] = opened
    if (!first) throw new Error('nothing was opened')
    await world.store.leases.fail(first.id, 'provider_rejected')
    await expect(world.store.leases.open(leaseIntent(task, { limits }))).resolves.toBeDefined()
  })

  test('no more mints an hour of a template for an agent, in all its tasks', async () => {
    const agent = freshId('agent')
    const limits = { mintsPerHour: 3 }
    const tasks = await Promise.all(
      Array.from({ length: 10 }, () => openTask(world.store.tasks, { agent })),
    )
    const results = await Promise.allSettled(
      tasks.map((task) => world.store.leases.open(leaseIntent(task, { limits }))),
    )
    const opened = results.flatMap((result) =>
      result.status === 'fulfilled' ? [result.value] : [],
    )
    expect(opened).toHaveLength(3)
    const [task] = tasks
    const [first] = opened
    if (!task || !first) throw new Error('nothing was opened')
    await expect(world.store.leases.open(leaseIntent(task, { limits }))).rejects.toMatchObject({
      code: 'limit_reached',
      details: { limit: 'mintsPerHour' },
    })
    await world.age(first.id, 3_601)
    await expect(world.store.leases.open(leaseIntent(task, { limits }))).resolves.toBeDefined()
  })
})

describe('what is refused', () => {
  test('is a closed task, one whose time is up, and one that never was', async () => {
    const { leases, tasks } = world.store
    const closed = await openTask(tasks)
    await tasks.close(closed.id, 'holder')
    await expect(leases.open(leaseIntent(closed))).rejects.toMatchObject({ code: 'task_closed' })

    const late = await openTask(tasks, { lifetimeSeconds: 0 })
    await expect(leases.open(leaseIntent(late))).rejects.toMatchObject({ code: 'task_closed' })

    const none = { ...closed, id: 'tsk_none' }
    await expect(leases.open(leaseIntent(none))).rejects.toMatchObject({ code: 'task_unknown' })
  })

  test('G13 R106 is in the audit log, and stores nothing else', async () => {
    const task = await openTask(world.store.tasks)
    await world.store.tasks.close(task.id, 'holder')
    const intent = leaseIntent(task, request('a'))
    await expect(world.store.leases.open(intent)).rejects.toMatchObject({ code: 'task_closed' })
    expect(
      await world.sql(
        `SELECT type, subject, agent, data->>'code' AS code FROM audit_events
        WHERE task_id = $1 AND type = 'decision.denied'`,
        [task.id],
      ),
    ).toEqual([
      {
        type: 'decision.denied',
        subject: 'github-actions#repo:acme/web',
        agent: 'web-coder',
        code: 'task_closed',
      },
    ])
    for (const table of ['leases', 'decisions', 'idempotency_keys'])
      expect(await world.sql(`SELECT * FROM ${table} WHERE task_id = $1`, [task.id])).toEqual([])
  })
})

describe('finding leases', () => {
  test('by task, agent, target and whether they may be live, newest first', async () => {
    const { leases, tasks } = world.store
    const agent = freshId('agent')
    const task = await openTask(tasks, { agent })
    const target = `github:repo:acme/${freshId('repo')}`
    const first = await leases.open(leaseIntent(task, { targets: [target] }))
    const second = await leases.open(leaseIntent(task))
    await leases.fail(second.id, 'provider_rejected')
    const third = await leases.activate(
      activationOf(await leases.open(leaseIntent(task, { targets: [target, 'github:org:acme'] }))),
    )

    const ids = async (filter: Partial<LeaseFilter>): Promise<readonly string[]> =>
      (await leases.list({ limit: 10, ...filter })).map(({ id }) => id)
    expect(await ids({ taskId: task.id })).toEqual([third.id, second.id, first.id])
    expect(await ids({ selector: { agent }, limit: 2 })).toEqual([third.id, second.id])
    expect(await ids({ target })).toEqual([third.id, first.id])
    expect(await ids({ target, live: true, selector: { agent } })).toEqual([third.id, first.id])
    expect(await ids({ selector: { agent }, live: false })).toEqual([second.id])
    await world.age(first.id, 4_000)
    expect(await ids({ selector: { agent }, live: true })).toEqual([third.id])
    expect(await leases.list({ taskId: task.id, limit: 1 })).toEqual([third])
  })

  test('those that are due, oldest first, and how far behind the sweeper is', async () => {
    const { leases, tasks } = world.store
    await world.sql(`UPDATE leases SET due_at = now() + interval '1 hour' WHERE due_at IS NOT NULL`)
    expect(await leases.overdue()).toEqual({ count: 0, oldestDueAt: null })
    const task = await openTask(tasks)
    const opened = await Promise.all(
      Array.from({ length: 3 }, () => leases.open(leaseIntent(task))),
    )
    for (const [index, { id }] of opened.entries()) await world.age(id, 40 + index)
    const newestFirst = opened.map(({ id }) => id)
    expect(await leases.due(2)).toEqual(newestFirst.toReversed().slice(0, 2))
    const [oldest] = await world.sql('SELECT min(due_at) AS at FROM leases')
    expect(await leases.overdue()).toEqual({ count: 3, oldestDueAt: oldest?.['at'] })
  })
})
