import { expect, test } from '@jest/globals'
import { makeCloseTask, makeSweep, MayflyError, type ClosedTask } from '@mayfly/core'

import { makeWorld, NOON, REQUEST, TASK } from './world.ts'

const here = new AbortController().signal

async function sweeperOver(world: ReturnType<typeof makeWorld>, overdueTasks: string[] = []) {
  await world.issue({ task: TASK, request: REQUEST, idempotency: null }, here)
  world.leases.delivered('lea_1')
  const closed: string[] = []
  const closeTask = makeCloseTask({
    tasks: {
      close: async (taskId, reason): Promise<ClosedTask> => {
        closed.push(`${taskId} ${reason}`)
        await world.leases.end('lea_1', 'task_closed')
        return { task: { ...TASK, closedAt: NOON }, leaseIds: ['lea_1'] }
      },
    },
    queue: { schedule: () => Promise.reject(new Error('queue down')) },
    clock: world.clock,
    report: (message) => void world.reports.push(message),
  })
  const sweep = makeSweep({
    leases: world.leases,
    tasks: { overdue: () => Promise.resolve(overdueTasks) },
    closeTask,
    resumeContainments: () => Promise.resolve(0),
    revoke: world.revokeClaimed,
    batchSize: 10,
    concurrency: 2,
    visibilitySeconds: 30,
    patience: () => new Promise(() => undefined),
    report: (message) => void world.reports.push(message),
  })
  return { sweep, closed }
}

test('a pass with nothing due does nothing', async () => {
  const world = makeWorld()
  const { sweep } = await sweeperOver(world)
  expect(await sweep(here)).toEqual({ tasksClosed: 0, revoked: 0, retried: 0, more: false })
  expect(world.live.size).toBe(1)
})

test('G4 R90 a due lease is revoked without any queue', async () => {
  const world = makeWorld()
  const { sweep } = await sweeperOver(world)
  world.advance(600)
  expect(await sweep(here)).toEqual({ tasksClosed: 0, revoked: 1, retried: 0, more: false })
  expect(world.live.size).toBe(0)
})

test('G12 R24 a task past its end is closed, and its leases die in the same pass', async () => {
  const world = makeWorld()
  const { sweep, closed } = await sweeperOver(world, ['tsk_1'])
  expect(await sweep(here)).toEqual({ tasksClosed: 1, revoked: 1, retried: 0, more: false })
  expect(closed).toEqual(['tsk_1 overdue'])
  expect(world.live.size).toBe(0)
})

test('one lease that fails does not stop the pass', async () => {
  const world = makeWorld()
  const { sweep } = await sweeperOver(world)
  world.failRevoke(new MayflyError('provider_unavailable', 'down', { retryable: true }))
  world.advance(600)
  expect(await sweep(here)).toMatchObject({ revoked: 0, retried: 1 })
})
