import { freePort } from '@mayfly/sandbox'

import { startWorld, type BenchHost, type BenchWorld } from './bench-world.ts'
import { mintLeases } from './mint-leases.ts'
import { revocationLag } from './revocation-lag.ts'
import { seedDueLeases } from './seeded-leases.ts'
import { resetStatementTimes, slowestStatements, type SlowStatement } from './statement-times.ts'

export interface SweepFigures {
  readonly leases: number
  /** Minted through the API, or put into the table as due, with handles that open. */
  readonly made: 'minted' | 'inserted'
  readonly leasesPerSecond: number
  readonly target: number
  /** Of the worker's statements. */
  readonly slowest: readonly SlowStatement[]
  readonly targetStatementMs: number
}

export interface SweepOptions {
  readonly leases: number
  readonly made: SweepFigures['made']
  readonly progress: (line: string) => void
}

const TARGET = 500
/** The benchmark's own way of looking how many are left. */
const OWN = 'AS left FROM leases|pg_stat|WITH lag AS'

/**
 * Everything is due and there is no queue: the worker finds it all by itself. Broker and worker are
 * given a Redis that is not there.
 */
export async function benchSweep(host: BenchHost, options: SweepOptions): Promise<SweepFigures> {
  const { leases, made, progress } = options
  const redisUrl = `redis://127.0.0.1:${String(await freePort())}`
  const world = await startWorld(host, { name: `sweep_${made}`, redisUrl })
  try {
    await fill(world, options)
    progress(`${String(leases)} leases ${made}, and over`)
    await resetStatementTimes(world.databaseUrl)
    await world.startWorker({ SWEEP_INTERVAL_MS: '50' })
    const { databaseUrl } = world
    const watch = { databaseUrl, leases, deadlineSeconds: leases / 100 + 60, progress }
    const { revokedOverSeconds } = await revocationLag(watch)
    const live = await world.liveCredentials()
    if (live > 0) throw new Error(`the provider still accepts ${String(live)} credentials`)
    return {
      ...{ leases, made, leasesPerSecond: leases / revokedOverSeconds, target: TARGET },
      slowest: await slowestStatements(databaseUrl, { but: OWN }),
      targetStatementMs: 100,
    }
  } finally {
    await world.stop()
  }
}

function fill(world: BenchWorld, { leases, made }: SweepOptions): Promise<void> {
  if (made === 'inserted') return seedDueLeases(world, leases)
  return mintLeases(world, { count: leases, concurrency: 32, ttlSeconds: () => 1 })
}
