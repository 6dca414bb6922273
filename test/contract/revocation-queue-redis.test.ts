import { describe, test } from '@jest/globals'
import { Redis } from 'ioredis'

import { redisVersion, startRedis } from '../support/redis-server.ts'
import { describeRevocationQueue, type QueueServer } from './revocation-queue-contract.ts'

const version = redisVersion()
process.stderr.write(
  version === null
    ? 'Redis suite: left out, redis-server not found\n'
    : `Redis suite: real server ${version}\n`,
)

if (version === null) {
  describe('the revocation queue on Redis', () => {
    test.skip('left out, redis-server not found', () => undefined)
  })
} else {
  describeRevocationQueue('Redis', open)
}

async function open(): Promise<QueueServer> {
  const redis = await startRedis()
  return {
    ...redis,
    // With a Redis at hand no database is asked.
    location: { redisUrl: redis.url, databaseUrl: 'postgresql://127.0.0.1:1/unused' },
    dump: () => dump(redis.url),
  }
}

async function dump(url: string): Promise<string> {
  const client = new Redis(url)
  try {
    const texts: string[] = []
    for (const key of await client.keys('*')) {
      texts.push(key, await readAll(client, key))
    }
    return texts.join('\n')
  } finally {
    client.disconnect()
  }
}

async function readAll(client: Redis, key: string): Promise<string> {
  const type = await client.type(key)
  const read: Record<string, () => Promise<unknown>> = {
    string: () => client.get(key),
    hash: () => client.hgetall(key).then((fields) => Object.entries(fields)),
    list: () => client.lrange(key, 0, -1),
    set: () => client.smembers(key),
    zset: () => client.zrange(key, '0', '-1'),
    // Gone since it was listed: a worker is at work.
    none: () => Promise.resolve(''),
    stream: () => client.xrange(key, '-', '+'),
  }
  const value = await read[type]?.()
  if (value === undefined) throw new Error(`cannot read a ${type}`)
  return [value].flat(3).map(String).join('\n')
}
