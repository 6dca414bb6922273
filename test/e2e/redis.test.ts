import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'

import { ERRAND_NAMES, ERRANDS } from '../support/errands.ts'
import { until } from '../support/until.ts'
import { redisVersion, startRedis, type RedisServer } from '../support/redis-server.ts'
import { usesOf } from './uses.ts'
import { openWorld, type World } from './world.ts'

const version = redisVersion()
process.stdout.write(
  version === null
    ? 'e2e on Redis: SKIPPED, there is no redis-server on the path\n'
    : `e2e on Redis: redis-server ${version}\n`,
)

const onRedis = version === null ? describe.skip : describe

onRedis('with the queue on Redis', () => {
  let redis: RedisServer
  let world: World
  beforeAll(async () => {
    redis = await startRedis()
    // So seldom that what dies sooner was ended by its alarm.
    const environment = { SWEEP_INTERVAL_MS: '8000' }
    world = await openWorld({ redisUrl: redis.url, environment })
  }, 120_000)
  afterAll(async () => {
    await world.stop()
    await redis.stop()
  }, 60_000)

  test('alarms end every kind of lease on time', async () => {
    const uses = usesOf(world.stack.standins)
    const task = await world.openTask()
    for (const name of ERRAND_NAMES) {
      const { lease, credential } = await world.issue(task, { ...ERRANDS[name], ttlSeconds: 3 })
      expect([name, await uses[name].allowed(credential)]).toEqual([name, true])
      const { revocationLagMilliseconds = Infinity } = await world.settled(lease.id)
      // IAM takes a second of it.
      expect(revocationLagMilliseconds).toBeLessThan(4000)
      expect([name, await uses[name].allowed(credential)]).toEqual([name, false])
    }
  }, 60_000)

  test('G4 R90 with Redis gone minting goes on, and the sweeper ends what is due', async () => {
    const uses = usesOf(world.stack.standins)
    const task = await world.openTask()
    const before = await world.issue(task, { ...ERRANDS.vault, ttlSeconds: 4 })
    await redis.sever()
    try {
      const startedAt = Date.now()
      const after = await world.issue(task, { ...ERRANDS.github, ttlSeconds: 4 })
      expect(Date.now() - startedAt).toBeLessThan(3000)
      expect(await uses.github.allowed(after.credential)).toBe(true)
      const given = await world.issue(task, ERRANDS.aws)
      const path = `/v1/leases/${given.lease.id}`
      expect((await world.call('DELETE', path, { token: task.token })).status).toBe(200)
      for (const { lease } of [before, after, given]) await world.settled(lease.id)
      expect(await uses.github.allowed(after.credential)).toBe(false)
      expect(await uses.vault.allowed(before.credential)).toBe(false)
      expect(await uses.aws.allowed(given.credential)).toBe(false)
      const ready = await world.call('GET', '/readyz')
      expect(ready.status).toBe(200)
    } finally {
      await redis.restore()
    }
  }, 60_000)

  test('and alarms ring again when Redis is back', async () => {
    await until(async () => {
      const task = await world.openTask()
      const { lease } = await world.issue(task, { ...ERRANDS.vault, ttlSeconds: 1 })
      const { revocationLagMilliseconds = Infinity } = await world.settled(lease.id)
      return revocationLagMilliseconds < 1000
    }, 60_000)
  }, 90_000)
})
