import { startWorld, type BenchHost } from './bench-world.ts'
import { mintLeases } from './mint-leases.ts'
import { revocationLag, type RevocationLag } from './revocation-lag.ts'

export interface LagFigures extends RevocationLag {
  readonly queue: 'redis' | 'postgres'
  /** One of two is killed when half of the leases have ended. */
  readonly workers: 'one' | 'one of two killed'
  readonly targetP99Ms: number
}

export interface LagOptions {
  readonly leases: number
  /** Over how long the leases end. */
  readonly overSeconds: number
  /** All leases must be minted within this long, before the first one ends. */
  readonly mintWithinSeconds: number
  readonly workers: LagFigures['workers']
  readonly progress: (line: string) => void
}

/** Leases that end spread over a while: how late is each one's credential proven dead? */
export async function benchLag(
  host: BenchHost,
  queue: LagFigures['queue'],
  options: LagOptions,
): Promise<LagFigures> {
  const { leases, workers, progress } = options
  const redisUrl = queue === 'redis' ? host.redisUrl : null
  if (queue === 'redis' && redisUrl === null) throw new Error('there is no Redis')
  const world = await startWorld(host, {
    name: workers === 'one' ? `lag_${queue}` : `lag_${queue}_killed`,
    ...(redisUrl !== null && { redisUrl }),
  })
  try {
    const worker = await world.startWorker()
    if (workers !== 'one') await world.startWorker()
    await mintSpread(world, options)
    progress(`${String(leases)} leases minted`)
    const deadlineSeconds = options.mintWithinSeconds + options.overSeconds * 2 + 60
    const { databaseUrl } = world
    const halfway = (): void => {
      if (workers === 'one') return
      worker.kill('SIGKILL')
      progress('one of two workers killed')
    }
    const lag = await revocationLag({ databaseUrl, leases, deadlineSeconds, halfway, progress })
    const live = await world.liveCredentials()
    if (live > 0) throw new Error(`the provider still accepts ${String(live)} credentials`)
    return { queue, workers, targetP99Ms: targetOf(queue, workers), ...lag }
  } finally {
    await world.stop()
  }
}

function targetOf(queue: LagFigures['queue'], workers: LagFigures['workers']): number {
  if (workers !== 'one') return 3_000
  return queue === 'redis' ? 1_000 : 2_000
}

/** In an order of its own, so that what was minted together does not end together. */
async function mintSpread(
  world: Parameters<typeof mintLeases>[0],
  { leases, overSeconds, mintWithinSeconds }: LagOptions,
): Promise<void> {
  const firstEnd = Date.now() + mintWithinSeconds * 1000
  const STEP = 7_919 // prime, so that the multiples visit every place once
  await mintLeases(world, {
    count: leases,
    concurrency: 32,
    ttlSeconds: (index) => {
      const place = (index * STEP) % leases
      const endsAt = firstEnd + (place / leases) * overSeconds * 1000
      const left = (endsAt - Date.now()) / 1000
      if (left < 1) throw new Error('minting took so long that leases end meanwhile')
      return Math.floor(left)
    },
  })
}
