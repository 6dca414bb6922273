import { freePort } from '@mayfly/sandbox'

import { startWorld, type BenchHost } from './bench-world.ts'
import { mintLeases } from './mint-leases.ts'
import { revocationLag } from './revocation-lag.ts'

export interface SweepFigures {
  readonly leases: number
  readonly leasesPerSecond: number
  readonly target: number
}

export interface SweepOptions {
  readonly leases: number
  readonly progress: (line: string) => void
}

const TARGET = 500

/**
 * Everything is due and there is no queue: the worker finds it all by itself. Broker and worker are
 * given a Redis that is not there.
 */
export async function benchSweep(host: BenchHost, options: SweepOptions): Promise<SweepFigures> {
  const { leases, progress } = options
  const redisUrl = `redis://127.0.0.1:${String(await freePort())}`
  const world = await startWorld(host, { name: 'sweep', redisUrl })
  try {
    await mintLeases(world, { count: leases, concurrency: 32, ttlSeconds: () => 1 })
    progress(`${String(leases)} leases minted, and over`)
    await world.startWorker({ SWEEP_INTERVAL_MS: '50' })
    const { databaseUrl } = world
    const watch = { databaseUrl, leases, deadlineSeconds: leases / 10 + 60, progress }
    const { revokedOverSeconds } = await revocationLag(watch)
    const live = await world.liveCredentials()
    if (live > 0) throw new Error(`the provider still accepts ${String(live)} credentials`)
    return { leases, leasesPerSecond: leases / revokedOverSeconds, target: TARGET }
  } finally {
    await world.stop()
  }
}
