import { makeRevocationQueue, startRevocationWorker } from '@mayfly/queue'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Redis } from 'ioredis'

import { redisVersion, startRedis, type RedisServer } from '../../support/redis-server.ts'
import { until } from '../../support/until.ts'

const describeWithRedis = redisVersion() === null ? describe.skip : describe

describeWithRedis('a Redis that lost everything', () => {
  let redis: RedisServer

  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(async () => {
    await redis.stop()
  })

  test('R90 serves later alarms with the same queue and worker', async () => {
    const location = { redisUrl: redis.url, databaseUrl: 'postgresql://127.0.0.1:1/unused' }
    const queue = makeRevocationQueue(location)
    const rung: string[] = []
    const worker = await startRevocationWorker({
      ...location,
      concurrency: 2,
      stopGraceMs: 1_000,
      process: (leaseId) => Promise.resolve(void rung.push(leaseId)),
      onError: () => undefined,
    })
    await queue.schedule('lea_lost', new Date(Date.now() + 1_000))
    await wipe(redis.url)
    await queue.schedule('lea_later', new Date(Date.now() + 1_200))
    await until(() => rung.length > 0)
    await worker.stop()
    await queue.close()
    expect(rung).toEqual(['lea_later'])
  })
})

async function wipe(url: string): Promise<void> {
  const client = new Redis(url)
  await client.flushall()
  await client.script('FLUSH')
  client.disconnect()
}
