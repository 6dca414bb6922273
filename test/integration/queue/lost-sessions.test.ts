import { expect, test } from '@jest/globals'
import { makeRevocationQueue } from '@mayfly/queue'
import pg from 'pg'

import { createEmptyDatabase } from '../../support/database.ts'
import { until } from '../../support/until.ts'

test('sessions cut while the queue is being opened end neither the process nor the queue', async () => {
  const database = await createEmptyDatabase()
  const admin = new pg.Client({ connectionString: database.connectionString })
  await admin.connect()
  const cut = async (): Promise<number> => {
    const { rows } = await admin.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid()`,
    )
    return rows.length
  }

  const queue = makeRevocationQueue({ databaseUrl: database.connectionString })
  const scheduled = (): Promise<boolean> =>
    queue.schedule('lea_1', new Date(Date.now() + 60_000)).then(
      () => true,
      () => false,
    )
  let sessionsCut = 0
  // Each attempt opens a session anew, so that some are cut in the middle of being opened.
  await until(async () => {
    void scheduled()
    sessionsCut += await cut()
    return sessionsCut >= 3
  })
  // An unheard error event would have ended the process by now.
  await until(scheduled)
  expect((await queue.depth()).delayed).toBeGreaterThan(0)
  await queue.close()
  await admin.end()
  await database.drop()
})
