import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'

import {
  activationOf,
  freshId,
  leaseIntent,
  newTask,
  openTask,
  workloadToken,
} from '../../support/lease-fixtures.ts'
import { startStoreWorld, type StoreWorld } from '../../support/store-world.ts'

let world: StoreWorld
beforeAll(async () => {
  world = await startStoreWorld()
})
afterAll(() => world.close())

describe('opening a task', () => {
  test('stores what it may ask for, and who answers for it', async () => {
    const intended = newTask({ intent: { reason: 'fix', ticket: 'WEB-1' } })
    const task = await world.store.tasks.open(intended)
    expect(task).toEqual({
      id: intended.id,
      agent: 'web-coder',
      owner: 'alice@acme.example',
      environment: 'development',
      issuer: 'github-actions',
      subject: 'repo:acme/web',
      claims: { repository: 'acme/web' },
      intent: { reason: 'fix', ticket: 'WEB-1' },
      declarations: intended.declarations,
      openedAt: task.openedAt,
      notAfter: new Date(task.openedAt.getTime() + 3_600_000),
      closedAt: null,
    })
    expect(await world.store.tasks.find(task.id)).toEqual(task)
    expect(await world.store.tasks.find('tsk_none')).toBeNull()
  })

  test('R8 a workload token opens one task only, whoever asks first', async () => {
    const token = workloadToken()
    const results = await Promise.allSettled(
      Array.from({ length: 10 }, () => openTask(world.store.tasks, { token })),
    )
    const codes = results.map((result) =>
      result.status === 'fulfilled' ? 'opened' : (result.reason as { code?: string }).code,
    )
    expect(codes.sort()).toEqual(['opened', ...Array.from({ length: 9 }, () => 'token_replayed')])
    expect(
      await world.sql('SELECT count(*)::int AS count FROM token_uses WHERE token_id = $1', [
        token.tokenId,
      ]),
    ).toEqual([{ count: 1 }])
  })

  test('the same token id of another issuer is another token', async () => {
    const token = workloadToken()
    await openTask(world.store.tasks, { token })
    const other = { ...token, issuer: 'gitlab' }
    await expect(openTask(world.store.tasks, { token: other })).resolves.toBeDefined()
  })

  test('R26 the same request, sent many times at once, opens one task', async () => {
    const idempotency = { key: freshId('key'), requestSha256: 'body' }
    const token = workloadToken()
    const tasks = await Promise.all(
      Array.from({ length: 10 }, () => openTask(world.store.tasks, { token, idempotency })),
    )
    expect(new Set(tasks.map(({ id }) => id)).size).toBe(1)
    const fresh = await openTask(world.store.tasks, { idempotency })
    expect(fresh).toEqual(tasks[0])
  })

  test('the same key with another body is a conflict, and of another subject another key', async () => {
    const idempotency = { key: freshId('key'), requestSha256: 'body' }
    const first = await openTask(world.store.tasks, { idempotency })
    await expect(
      openTask(world.store.tasks, { idempotency: { ...idempotency, requestSha256: 'other' } }),
    ).rejects.toMatchObject({ code: 'idempotency_conflict' })
    const token = workloadToken({ subject: 'repo:acme/api' })
    const other = await openTask(world.store.tasks, { token, idempotency })
    expect(other.id).not.toBe(first.id)
  })

  test('a repeated request cannot bring in a token that another task used', async () => {
    const idempotency = { key: freshId('key'), requestSha256: 'body' }
    await openTask(world.store.tasks, { idempotency })
    const token = workloadToken()
    await openTask(world.store.tasks, { token })
    await expect(openTask(world.store.tasks, { token, idempotency })).rejects.toMatchObject({
      code: 'token_replayed',
    })
  })
})

describe('renewing a task', () => {
  test('takes the claims of a fresh token of the same subject', async () => {
    const task = await openTask(world.store.tasks)
    const claims = { repository: 'acme/web', ref: 'refs/heads/fix' }
    const renewed = await world.store.tasks.renew(task.id, workloadToken({ claims }))
    expect(renewed).toEqual({ ...task, claims })
  })

  test('R8 refuses a token that was used before, by this task too', async () => {
    const token = workloadToken()
    const task = await openTask(world.store.tasks, { token })
    await expect(world.store.tasks.renew(task.id, token)).rejects.toMatchObject({
      code: 'token_replayed',
    })
    const once = workloadToken()
    await world.store.tasks.renew(task.id, once)
    await expect(openTask(world.store.tasks, { token: once })).rejects.toMatchObject({
      code: 'token_replayed',
    })
  })

  test('does not tell one subject of another’s task', async () => {
    const task = await openTask(world.store.tasks)
    const token = workloadToken({ subject: 'repo:acme/api' })
    await expect(world.store.tasks.renew(task.id, token)).rejects.toMatchObject({
      code: 'task_unknown',
    })
    await expect(world.store.tasks.renew('tsk_none', token)).rejects.toMatchObject({
      code: 'task_unknown',
    })
  })

  test('refuses a task that is over', async () => {
    const closed = await openTask(world.store.tasks)
    await world.store.tasks.close(closed.id, 'holder')
    const late = await openTask(world.store.tasks, { lifetimeSeconds: 0 })
    for (const { id } of [closed, late])
      await expect(world.store.tasks.renew(id, workloadToken())).rejects.toMatchObject({
        code: 'task_closed',
      })
  })
})

describe('closing a task', () => {
  test('R24 ends its leases: the active are due, the pending wait for their mint', async () => {
    const { leases, tasks } = world.store
    const task = await openTask(tasks)
    const bystander = await leases.open(leaseIntent(await openTask(tasks)))
    const pending = await leases.open(leaseIntent(task))
    const active = await leases.activate(activationOf(await leases.open(leaseIntent(task))))
    const failed = await leases.open(leaseIntent(task))
    await leases.fail(failed.id, 'provider_rejected')

    const closed = await tasks.close(task.id, 'operator')
    expect(closed.leaseIds).toEqual([active.id])
    expect(closed.task).toEqual({ ...task, closedAt: closed.task.closedAt })
    const ends = await Promise.all(
      [pending, active, failed, bystander].map(
        async ({ id }) => (await leases.find(id))?.endReason,
      ),
    )
    expect(ends).toEqual(['task_closed', 'task_closed', null, null])
    await expect(leases.activate(activationOf(pending))).rejects.toMatchObject({
      code: 'lease_transition_illegal',
    })
    await expect(tasks.close('tsk_none', 'holder')).rejects.toMatchObject({ code: 'task_unknown' })
  })

  test('the sweeper is told of those whose time is up', async () => {
    const late = await openTask(world.store.tasks, { lifetimeSeconds: 0 })
    const open = await openTask(world.store.tasks)
    const overdue = await world.store.tasks.overdue(100)
    expect(overdue).toContain(late.id)
    expect(overdue).not.toContain(open.id)
    await world.store.tasks.close(late.id, 'overdue')
    expect(await world.store.tasks.overdue(100)).not.toContain(late.id)
  })
})

test('pruning forgets tokens that have expired and keys that are old, and no others', async () => {
  const expired = workloadToken({ expiresAt: new Date(Date.now() - 7_200_000) })
  const valid = workloadToken()
  await openTask(world.store.tasks, { token: expired })
  await openTask(world.store.tasks, { token: valid })
  await world.store.prune()
  const left = await world.sql('SELECT token_id FROM token_uses WHERE token_id = ANY ($1)', [
    [expired.tokenId, valid.tokenId],
  ])
  expect(left).toEqual([{ token_id: valid.tokenId }])
})
