import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

import { startEmbeddedPostgres } from '@mayfly/sandbox'
import pc from 'picocolors'

import { redisVersion, startRedis } from '../support/redis-server.ts'
import type { BenchHost } from './bench-world.ts'
import { postmasterPid } from './cpu-time.ts'
import { hostFacts } from './host-facts.ts'
import { benchMint } from './mint-bench.ts'
import { readOptions, type BenchOptions, type Part } from './options.ts'
import { hostTable, mintTable } from './tables.ts'

const options = readOptions(process.argv.slice(2))
const print = (text: string): void => void process.stdout.write(`${text}\n`)
const progress = (line: string): void => {
  print(pc.dim(`  ${line}`))
}

async function run(host: BenchHost, { quick, parts }: BenchOptions): Promise<object> {
  const figures: Record<string, unknown> = {}
  const begin = (part: Part): boolean => {
    if (!parts.includes(part)) return false
    print(`\n${pc.bold(part)}`)
    return true
  }
  if (begin('mint')) {
    const mint = await benchMint(host, {
      rounds: quick ? 3 : 5,
      secondsPerRound: quick ? 3 : 8,
      warmUpRequests: quick ? 1_500 : 10_000,
      progress,
    })
    print(mintTable(mint))
    figures['mint'] = mint
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
  const figures = await run(
    {
      directory,
      databaseUrl: (name) => postgres.connectionString(name),
      postgresPid: postmasterPid(join(directory, 'postgres')),
      redisUrl: redis?.url ?? null,
      profile: options.profile && resolve(options.profile),
    },
    options,
  )
  if (options.json !== null)
    writeFileSync(options.json, `${JSON.stringify({ host: facts, ...figures }, null, 2)}\n`)
  rmSync(directory, { recursive: true, force: true })
} catch (error) {
  print(pc.red(`failed: the logs are in ${directory}`))
  throw error
} finally {
  for (const stop of stops.reverse()) await stop()
}
