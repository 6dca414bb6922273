import { expect, test } from '@jest/globals'

import { refusal, unauthenticated } from './issuer-world.ts'
import { task, TaskTokenWorld, workload } from './task-token-world.ts'

const HOUR = 3600
const DAY = 24 * HOUR

test('the first broker makes the first key, and the others use it', async () => {
  const world = new TaskTokenWorld()
  const { kid } = await world.signingKeys().active()
  expect((await world.signingKeys().active()).kid).toBe(kid)
  expect(world.keys).toHaveLength(1)
})

test('a key signs for its time; then another does, and it stays published for an hour', async () => {
  const world = new TaskTokenWorld()
  const keys = world.signingKeys({ rotateAfterSeconds: DAY, retireAfterSeconds: HOUR })
  const first = await keys.active()
  world.after(DAY - 1)
  expect(await keys.active()).toEqual(first)
  world.after(1)
  const second = await keys.active()
  expect(second.kid).not.toBe(first.kid)
  const published = async () => (await keys.published()).keys.map(({ kid }) => kid)
  expect(await published()).toEqual([second.kid, first.kid])
  world.after(HOUR - 1)
  expect(await published()).toEqual([second.kid, first.kid])
  world.after(1)
  expect(await published()).toEqual([second.kid])
})

test('tokens outlast a rotation, and every broker takes those of the new key', async () => {
  const world = new TaskTokenWorld()
  const [a, b] = [
    world.broker({ keysCooldownSeconds: 0 }),
    world.broker({ keysCooldownSeconds: 0 }),
  ]
  await a.issue(task, workload)
  world.after(DAY - 60)
  const long = { ...task, notAfter: new Date('2026-12-23T12:00:00Z') }
  const old = await a.issue(long, workload)
  await b.verify(old.token.reveal())
  world.after(120)
  const fresh = await a.issue(long, workload)
  expect(world.keys).toHaveLength(2)
  expect((await b.verify(fresh.token.reveal())).taskId).toBe('tsk_1')
  expect((await world.broker().verify(old.token.reveal())).taskId).toBe('tsk_1')
})

test('two brokers that rotate at once lose no token of either', async () => {
  const world = new TaskTokenWorld()
  const [a, b] = [world.broker(), world.broker()]
  const issued = await Promise.all([a.issue(task, workload), b.issue(task, workload)])
  for (const { token } of issued) {
    expect((await world.broker().verify(token.reveal())).taskId).toBe('tsk_1')
  }
})

test('keys made at the same instant are put in the same order by all brokers', async () => {
  const world = new TaskTokenWorld()
  const keys = world.signingKeys()
  await Promise.all([keys.active(), world.signingKeys().active()])
  expect(world.keys).toHaveLength(2)
  const { kid } = await keys.active()
  world.keys.reverse()
  expect((await keys.active()).kid).toBe(kid)
})

test('signing reads the key once a minute, not once a token', async () => {
  const world = new TaskTokenWorld()
  const broker = world.broker()
  await broker.issue(task, workload)
  const { reads } = world
  await Promise.all([broker.issue(task, workload), broker.issue(task, workload)])
  expect(world.reads).toBe(reads)
  world.after(60)
  await broker.issue(task, workload)
  expect(world.reads).toBe(reads + 1)
})

test('a database that was away when the key was wanted is asked again', async () => {
  const world = new TaskTokenWorld()
  const broker = world.broker()
  world.broken = true
  await expect(broker.issue(task, workload)).rejects.toThrow('the database is gone')
  world.broken = false
  expect((await broker.issue(task, workload)).expiresAt).toEqual(new Date('2026-11-23T12:15:00Z'))
})

test('made-up key ids do not become a query each', async () => {
  const world = new TaskTokenWorld()
  const broker = world.broker()
  const forged = await Promise.all(['a', 'b', 'c'].map((kid) => world.forge({}, { kid })))
  const { reads } = world
  for (const token of forged) {
    expect(await refusal(broker.verify(token))).toEqual(unauthenticated('key_unknown'))
  }
  expect(world.reads).toBe(reads + 1)
})
