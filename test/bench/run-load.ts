import { text } from 'node:stream/consumers'

import { z } from 'zod'

import { spawnScript } from './script-process.ts'

export interface Load {
  /** Where leases are asked for. */
  readonly url: URL
  /** Requests take turns with them: in life, leases belong to many tasks. */
  readonly tokens: readonly string[]
  readonly body: object
  readonly connections: number
  /** Either of the two. */
  readonly seconds?: number
  readonly requests?: number
}

export interface Round {
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly requests: number
}

const resultSchema = z.object({
  failed: z.int(),
  '2xx': z.int(),
  duration: z.number(),
  latency: z.object({ p50: z.number(), p99: z.number() }),
})

/** Puts a load on a server from a process of its own. Anything but success throws. */
export async function runLoad(load: Load): Promise<Round> {
  const generator = spawnScript('./load-generator.ts')
  generator.stdin?.end(
    JSON.stringify({
      url: load.url.href,
      requests: load.tokens.map((token) => ({
        method: 'POST',
        path: '/v1/leases',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify(load.body),
      })),
      connections: load.connections,
      timeout: 30,
      ...(load.seconds !== undefined && { duration: load.seconds }),
      ...(load.requests !== undefined && { amount: load.requests }),
    }),
  )
  const printed = await text(generator.stdout)
  const { failed, '2xx': done, duration, latency } = resultSchema.parse(JSON.parse(printed))
  if (failed > 0 || done === 0)
    throw new Error(`${String(failed)} requests failed, ${String(done)} succeeded`)
  return {
    requestsPerSecond: done / duration,
    p50Ms: latency.p50,
    p99Ms: latency.p99,
    requests: done,
  }
}
