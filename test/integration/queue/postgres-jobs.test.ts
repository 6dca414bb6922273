import { makeRevocationQueue, startRevocationWorker } from '@mayfly/queue'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import pg from 'pg'

import { createEmptyDatabase, type TestDatabase } from '../../support/database.ts'
import { until } from '../../support/until.ts'

describe('jobs in PostgreSQL', () => {
  let database: TestDatabase
  let databaseUrl: string

  beforeAll(async () => {
    database = await createEmptyDatabase()
    databaseUrl = database.connectionString
  })
  afterAll(async () => {
    await database.drop()
  })

  test('R118 a payload with more than a lease id is refused, reported and dropped', async () => {
    const location = { databaseUrl, queueName: 'tampered' }
    const queue = makeRevocationQueue(location)
    await queue.waitUntilReady()
    await queue.schedule('lea_1', new Date())
    await query(`update mayfly_queue.job set data = '{"leaseId":"lea_1","token":"x"}'`)

    const diary: unknown[] = []
    const worker = await startRevocationWorker({
      ...location,
      concurrency: 1,
      stopGraceMs: 1_000,
      process: (leaseId) => Promise.resolve(void diary.push(`process ${leaseId}`)),
      onError: (error) => diary.push((error as Error).name),
    })
    await until(() => diary.length > 0)
    await until(async () => (await query('select * from mayfly_queue.job')).length === 0)
    await worker.stop()
    await queue.close()
    expect(diary).toEqual(['ZodError'])
  })

  test('R90 an id that would not be safe as a job id is refused before it is stored', async () => {
    const queue = makeRevocationQueue({ databaseUrl })
    await queue.waitUntilReady()
    await expect(queue.schedule('lea:1', new Date())).rejects.toMatchObject({ name: 'MayflyError' })
    expect(await queue.depth()).toEqual({ delayed: 0, waiting: 0, active: 0 })
    await queue.close()
  })

  test('start-up options in the URL do not hide the schema of the queue', async () => {
    const url = new URL(databaseUrl)
    url.searchParams.set('options', '-c application_name=mine')
    const queue = makeRevocationQueue({ databaseUrl: url.href, queueName: 'with-options' })
    await queue.waitUntilReady()
    await queue.schedule('lea_1', new Date(Date.now() + 60_000))
    expect(await queue.depth()).toEqual({ delayed: 1, waiting: 0, active: 0 })
    await queue.close()
  })

  async function query(sql: string): Promise<unknown[]> {
    const client = new pg.Client({ connectionString: databaseUrl })
    await client.connect()
    try {
      return (await client.query<Record<string, unknown>>(sql)).rows
    } finally {
      await client.end()
    }
  }
})
