import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

import { startEmbeddedPostgres } from '@mayfly/sandbox'
import pc from 'picocolors'

import { redisVersion, startRedis } from '../support/redis-server.ts'
import type { BenchHost } from './bench-world.ts'
import { postmasterPid } from './cpu-time.ts'
import { hostFacts } from './host-facts.ts'
import { benchLag, type LagFigures } from './lag-bench.ts'
import { benchMemory } from './memory-bench.ts'
import { benchMint } from './mint-bench.ts'
import { readOptions, type Part } from './options.ts'
import { benchSweep } from './sweep-bench.ts'
import { hostTable, lagTable, memoryTable, mintTable, sweepTable } from './tables.ts'

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
    const queues =
      host.redisUrl === null ? (['postgres'] as const) : (['redis', 'postgres'] as const)
    const all: LagFigures[] = []
    for (const queue of queues) {
      const leases = queue === 'redis' ? 10_000 : 2_000
      const size = quick
        ? { leases: 500, overSeconds: 10, mintWithinSeconds: 20 }
        : { leases, overSeconds: 60, mintWithinSeconds: leases / 100 + 20 }
      progress(`queue on ${queue}`)
      all.push(await benchLag(host, queue, { ...size, progress }))
    }
    print(lagTable(all))
    return all
  },
  async sweep(host) {
    const figures = await benchSweep(host, { leases: quick ? 1_000 : 10_000, progress })
    print(sweepTable(figures))
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

async function run(host: BenchHost): Promise<object> {
  const figures: Partial<Record<Part, object>> = {}
  for (const part of options.parts) {
    print(`\n${pc.bold(part)}`)
    figures[part] = await benches[part](host)
  }
  return figures
}

const directory = mkdtempSync(join(tmpdir(), 'mayfly-bench-'))
const stops: (() => Promise<void>)[] = []
try {
  const postgres = await startEmbeddedPostgres({ dataDirectory: join(directory, 'postgres') })
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
  rmSync(directory, { recursive: true, force: true })
} catch (error) {
  print(pc.red(`failed: the logs are in ${directory}`))
  throw error
} finally {
  for (const stop of stops.reverse()) await stop()
}
