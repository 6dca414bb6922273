import pg from 'pg'

import type { BenchHost } from './bench-world.ts'
import { containLeases, type ContainmentTimes } from './contain-leases.ts'
import { startMixedWorld } from './mixed-world.ts'

export interface ContainmentFigures {
  readonly rows: readonly ContainmentTimes[]
  readonly targets: typeof CONTAINMENT_TARGETS
}

export interface ContainmentOptions {
  readonly sizes: readonly number[]
  readonly progress: (line: string) => void
}

/** The rate is for ten thousand: a few are dead before a rate means anything. */
export const CONTAINMENT_TARGETS = { freezeMs: 50, leasesPerSecond: 500, atLeases: 10_000 }

/** Live leases of three providers, contained in one call: how soon is each of them proven dead? */
export async function benchContainment(
  host: BenchHost,
  { sizes, progress }: ContainmentOptions,
): Promise<ContainmentFigures> {
  const world = await startMixedWorld(host, 'containment')
  try {
    const workers = await Promise.all([world.startWorker(), world.startWorker()])
    const rows: ContainmentTimes[] = []
    for (const size of sizes) {
      await world.mint(size)
      await analyze(world.databaseUrl)
      progress(`${String(size)} leases minted`)
      rows.push(await containLeases(world, size, world.pids(workers)))
    }
    return { rows, targets: CONTAINMENT_TARGETS }
  } finally {
    await world.stop()
  }
}

/**
 * As autovacuum does within a minute of such growth: until then, sessions keep the plans that they
 * made for ten rows.
 */
async function analyze(connectionString: string): Promise<void> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  try {
    await client.query('analyze')
  } finally {
    await client.end()
  }
}
