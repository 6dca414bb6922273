import { connect } from 'node:net'

import type { RedisServer } from '../support/redis-server.ts'

/** Makes Redis forget everything. */
export async function flushRedis(redis: RedisServer | null): Promise<void> {
  if (!redis) return
  const socket = connect(Number(new URL(redis.url).port), '127.0.0.1')
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.once('data', (data) => {
        if (data.toString().startsWith('+OK')) resolve()
        else reject(new Error('Redis was not flushed'))
      })
      socket.write('FLUSHALL\r\n')
    })
  } finally {
    socket.destroy()
  }
}
