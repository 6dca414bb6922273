import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { inspect } from 'node:util'

import { startEmbeddedPostgres, type EmbeddedPostgres } from '@mayfly/sandbox'
import pc from 'picocolors'

import { redisVersion, startRedis } from '../support/redis-server.ts'
import type { BenchHost } from './bench-world.ts'
import { postmasterPid } from './cpu-time.ts'
import { hostFacts } from './host-facts.ts'
import { benchContainment } from './containment-bench.ts'
import { benchLag, type LagFigures } from './lag-bench.ts'
import { benchMemory } from './memory-bench.ts'
import { benchMint } from './mint-bench.ts'
import { readOptions, type Part } from './options.ts'
import { benchReach } from './reach-bench.ts'
import { containmentTable, reachTable, sweepTable } from './revocation-tables.ts'
import { prepareStatementTimes } from './statement-times.ts'
import { benchSweep, type SweepFigures } from './sweep-bench.ts'
import { hostTable, lagTable, memoryTable, mintTable } from './tables.ts'

const options = readOptions(process.argv.slice(2))
const print = (text: string): void => void process.stdout.write(`${text}\n`)
const progress = (line: string): void => {
  print(pc.dim(`  ${line}`))
}

const { quick } = options

const benches: Readonly<Record<Part, (host: BenchHost) => Promise<object>>> = {
  async mint(host) {
    const figures = await benchMint(host, {
      rounds: quick ? 3 : 5,
      secondsPerRound: quick ? 3 : 8,
      warmUpRequests: quick ? 1_500 : 10_000,
      progress,
    })
    print(mintTable(figures))
    return figures
  },
  async lag(host) {
    const figures: LagFigures[] = []
    for (const { queue, workers, ...full } of lagRuns(host)) {
      const size = quick ? { leases: 200, overSeconds: 5, mintWithinSeconds: 30 } : full
      progress(`queue on ${queue}, workers: ${workers}`)
      figures.push(await benchLag(host, queue, { ...size, workers, progress }))
    }
    print(lagTable(figures))
    return figures
  },
  async sweep(host) {
    const figures: SweepFigures[] = []
    for (const made of ['minted', 'inserted'] as const) {
      const leases = made === 'minted' ? 10_000 : 100_000
      figures.push(await benchSweep(host, { leases: quick ? 1_000 : leases, made, progress }))
    }
    print(sweepTable(figures))
    return figures
  },
  async containment(host) {
    const sizes = quick ? [10, 100] : [10, 100, 1_000, 10_000]
    const figures = await benchContainment(host, { sizes, progress })
    print(containmentTable(figures))
    return figures
  },
  async reach(host) {
    const size = quick
      ? { ended: 20_000, live: 100, asked: 50 }
      : { ended: 1_000_000, live: 5_000, asked: 1_000 }
    const figures = await benchReach(host, { ...size, progress })
    print(reachTable(figures))
    return figures
  },
  async memory(host) {
    const steps = quick ? 3 : 5
    const figures = await benchMemory(host, {
      steps,
      mintsPerStep: quick ? 1_000 : 10_000,
      progress,
    })
    print(memoryTable(figures))
    return figures
  },
}

interface LagRun {
  readonly queue: LagFigures['queue']
  readonly workers: LagFigures['workers']
  readonly leases: number
  readonly overSeconds: number
  readonly mintWithinSeconds: number
}

/** A calm machine mints in half the time that it is given. */
function lagRuns({ redisUrl }: BenchHost): readonly LagRun[] {
  const size = { overSeconds: 60, leases: 10_000, mintWithinSeconds: 120 }
  const runs: readonly LagRun[] = [
    { queue: 'redis', workers: 'one', ...size },
    { queue: 'redis', workers: 'one of two killed', ...size },
    { queue: 'postgres', workers: 'one', ...size, leases: 2_000, mintWithinSeconds: 40 },
  ]
  return redisUrl === null ? runs.filter(({ queue }) => queue === 'postgres') : runs
}

const failures: Part[] = []

async function run(host: BenchHost): Promise<object> {
  const figures: Partial<Record<Part, object>> = {}
  for (const part of options.parts) {
    print(`\n${pc.bold(part)}`)
    // One part that fails must not cost the figures of the others.
    figures[part] = await benches[part](host).catch((error: unknown) => {
      failures.push(part)
      print(pc.red(inspect(error)))
      return { failed: String(error) }
    })
  }
  return figures
}

/** Times its statements, where it can. */
async function startTimedPostgres(dataDirectory: string): Promise<EmbeddedPostgres> {
  const postgres = await startEmbeddedPostgres({ dataDirectory })
  if (!(await prepareStatementTimes(postgres.connectionString('postgres')))) return postgres
  await postgres.stop()
  return startEmbeddedPostgres({ dataDirectory })
}

const directory = mkdtempSync(join(tmpdir(), 'mayfly-bench-'))
const stops: (() => Promise<void>)[] = []
try {
  const postgres = await startTimedPostgres(join(directory, 'postgres'))
  stops.push(() => postgres.stop())
  const redis = redisVersion() === null ? null : await startRedis({ appendfsync: 'everysec' })
  if (redis) stops.push(() => redis.stop())
  if (options.profile !== null) mkdirSync(options.profile, { recursive: true })
  const facts = await hostFacts(postgres.connectionString('postgres'))
  print(hostTable(facts))
  const figures = await run({
    directory,
    databaseUrl: (name) => postgres.connectionString(name),
    postgresPid: postmasterPid(join(directory, 'postgres')),
    redisUrl: redis?.url ?? null,
    profile: options.profile && resolve(options.profile),
  })
  if (options.json !== null)
    writeFileSync(options.json, `${JSON.stringify({ host: facts, ...figures }, null, 2)}\n`)
} catch (error) {
  failures.push(...options.parts)
  print(pc.red(inspect(error)))
} finally {
  for (const stop of stops.reverse()) await stop()
}
if (failures.length === 0) rmSync(directory, { recursive: true, force: true })
else {
  print(pc.red(`failed: ${failures.join(', ')}; the logs are in ${directory}`))
  process.exitCode = 1
}
