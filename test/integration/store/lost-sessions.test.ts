import { afterAll, beforeAll, expect, test } from '@jest/globals'
import pg from 'pg'

import { startStoreWorld, type StoreWorld } from '../../support/store-world.ts'
import { until } from '../../support/until.ts'
import { newTask } from '../../support/lease-fixtures.ts'

let world: StoreWorld
beforeAll(async () => {
  world = await startStoreWorld()
})
afterAll(() => world.close())

test('a session that is lost in the middle of a transaction fails that one alone', async () => {
  const holder = new pg.Client({ connectionString: world.connectionString })
  await holder.connect()
  await holder.query('BEGIN; LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE')
  const lost = newTask()
  const opening = world.store.tasks.open(lost)
  const failed = expect(opening).rejects.toMatchObject({ code: 'database_unavailable' })
  await until(async () => {
    const cut = await world.sql(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    )
    return cut.length > 0
  })
  await failed
  await holder.end()

  expect(await world.store.tasks.find(lost.id)).toBeNull()
  const other = newTask()
  expect((await world.store.tasks.open(other)).id).toBe(other.id)
})
