import { LEASE_REQUEST, startWorld, type BenchHost } from './bench-world.ts'
import { cpuSeconds } from './cpu-time.ts'
import { median } from './median.ts'
import { runLoad, type Load, type Round } from './run-load.ts'
import { startScriptServer } from './script-process.ts'
import { stageTimes, type StageTime } from './stage-times.ts'

export interface MintFigures {
  readonly queue: 'redis' | 'postgres'
  readonly connections: number
  readonly baseline: Side
  readonly broker: Side
  /** How many requests the baseline serves in the time of one mint. */
  readonly ratio: number
  readonly target: number
  /** Mean per mint, as the broker itself measured it. */
  readonly stages: readonly StageTime[]
}

export interface Side extends MeasuredRound {
  readonly rounds: readonly MeasuredRound[]
}

interface MeasuredRound extends Round {
  /** Processor time per request, of the server and of PostgreSQL. */
  readonly serverCpuMs: number
  readonly postgresCpuMs: number
}

export interface MintOptions {
  readonly rounds: number
  readonly secondsPerRound: number
  /** Enough for the just-in-time compiler to settle. */
  readonly warmUpRequests: number
  readonly progress: (line: string) => void
}

const CONNECTIONS = 32
const TARGET = 1.7

/** The least that a broker must do, and the broker, in turns on the same PostgreSQL. */
export async function benchMint(host: BenchHost, options: MintOptions): Promise<MintFigures> {
  const world = await startWorld(host, {
    name: 'mint',
    ...(host.redisUrl && { redisUrl: host.redisUrl }),
  })
  const { brokerUrl, databaseUrl } = world
  try {
    const tokens = await Promise.all(Array.from({ length: CONNECTIONS }, () => world.openTask()))
    const baseline = await startScriptServer('./baseline-server.ts', {
      DATABASE_URL: databaseUrl,
      JWKS_URL: new URL('/.well-known/jwks.json', brokerUrl).href,
      ISSUER: brokerUrl.origin,
      AUDIENCE: brokerUrl.origin,
    })
    try {
      const load = { tokens, body: LEASE_REQUEST, connections: CONNECTIONS }
      const turns = { ...options, postgresPid: host.postgresPid }
      const sides = await takeTurns(
        [
          { name: 'baseline', pid: baseline.pid, load: { ...load, url: baseline.url } },
          { name: 'broker', pid: world.broker.pid, load: { ...load, url: brokerUrl } },
        ],
        turns,
      )
      const [least, broker] = sides
      if (!least || !broker) throw new Error('there are two sides')
      return {
        queue: host.redisUrl ? 'redis' : 'postgres',
        connections: CONNECTIONS,
        baseline: least,
        broker,
        ratio: least.requestsPerSecond / broker.requestsPerSecond,
        target: TARGET,
        stages: await stageTimes(brokerUrl),
      }
    } finally {
      await baseline.stop()
    }
  } finally {
    await world.stop()
  }
}

interface Contestant {
  readonly name: string
  readonly pid: number
  readonly load: Load
}

async function takeTurns(
  contestants: readonly Contestant[],
  options: MintOptions & { readonly postgresPid: number },
): Promise<readonly Side[]> {
  const { rounds, secondsPerRound, warmUpRequests, progress, postgresPid } = options
  for (const { name, load } of contestants) {
    const { requestsPerSecond } = await runLoad({ ...load, requests: warmUpRequests })
    progress(`warm-up, ${name}: ${requestsPerSecond.toFixed(0)}/s`)
  }
  const measured = contestants.map((): MeasuredRound[] => [])
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, contestant] of contestants.entries()) {
      const result = await measure(contestant, secondsPerRound, postgresPid)
      measured[index]?.push(result)
      progress(
        `round ${String(round + 1)}, ${contestant.name}: ${result.requestsPerSecond.toFixed(0)}/s`,
      )
    }
  }
  return measured.map((all) => {
    const middle = (of: (round: MeasuredRound) => number): number => median(all.map(of))
    return {
      requestsPerSecond: middle((round) => round.requestsPerSecond),
      p50Ms: middle((round) => round.p50Ms),
      p99Ms: middle((round) => round.p99Ms),
      serverCpuMs: middle((round) => round.serverCpuMs),
      postgresCpuMs: middle((round) => round.postgresCpuMs),
      requests: all.reduce((sum, round) => sum + round.requests, 0),
      rounds: all,
    }
  })
}

async function measure(
  { pid, load }: Contestant,
  seconds: number,
  postgresPid: number,
): Promise<MeasuredRound> {
  const before = [cpuSeconds(pid), cpuSeconds(postgresPid)] as const
  const round = await runLoad({ ...load, seconds })
  const spent = (after: number, since: number): number => ((after - since) * 1000) / round.requests
  return {
    ...round,
    serverCpuMs: spent(cpuSeconds(pid), before[0]),
    postgresCpuMs: spent(cpuSeconds(postgresPid), before[1]),
  }
}
