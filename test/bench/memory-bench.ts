import { readFileSync } from 'node:fs'

import { LEASE_REQUEST, startWorld, type BenchHost } from './bench-world.ts'
import { runLoad } from './run-load.ts'

export interface MemoryFigures {
  readonly samples: readonly { readonly mints: number; readonly residentMib: number }[]
  readonly targetMib: number
}

export interface MemoryOptions {
  readonly steps: number
  readonly mintsPerStep: number
  readonly progress: (line: string) => void
}

/** What the broker's process holds in memory while it goes on minting. */
export async function benchMemory(host: BenchHost, options: MemoryOptions): Promise<MemoryFigures> {
  const { steps, mintsPerStep, progress } = options
  const world = await startWorld(host, {
    name: 'memory',
    ...(host.redisUrl !== null && { redisUrl: host.redisUrl }),
  })
  try {
    const { pid } = world.broker
    const samples = [{ mints: 0, residentMib: residentMib(pid) }]
    for (let step = 1; step <= steps; step += 1) {
      // A task token lives for a quarter of an hour.
      const tokens = [await world.openTask()]
      const load = { url: world.brokerUrl, tokens, body: LEASE_REQUEST, connections: 32 }
      await runLoad({ ...load, requests: mintsPerStep })
      const sample = { mints: step * mintsPerStep, residentMib: residentMib(pid) }
      progress(`${String(sample.mints)} mints: ${sample.residentMib.toFixed(0)} MiB`)
      samples.push(sample)
    }
    return { samples, targetMib: 250 }
  } finally {
    await world.stop()
  }
}

function residentMib(pid: number): number {
  const status = readFileSync(`/proc/${String(pid)}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024
}
