import type { BenchHost } from './bench-world.ts'
import { containLeases, type ContainmentTimes } from './contain-leases.ts'
import { insertEndedLeases, REPOSITORIES } from './ended-leases.ts'
import { startMixedWorld, type MixedWorld } from './mixed-world.ts'
import { percentile } from './percentile.ts'
import { resetStatementTimes, slowestStatements, type SlowStatement } from './statement-times.ts'

export interface ReachFigures {
  readonly ended: number
  readonly questions: readonly Answered[]
  readonly targetP99Ms: number
  /** What a worker asks for its metrics. */
  readonly metricsMs: number
  readonly containment: ContainmentTimes
  readonly slowest: readonly SlowStatement[]
}

export interface Answered {
  readonly question: string
  readonly p50Ms: number
  readonly p99Ms: number
}

export interface ReachOptions {
  /** Leases of the past in the table. */
  readonly ended: number
  /** Live ones, contained at the end. */
  readonly live: number
  readonly asked: number
  readonly progress: (line: string) => void
}

/** The benchmark's own, and locks: their time is somebody else's work. */
const OTHERS = 'pg_stat|pg_class|pg_advisory_lock'

/** What a responder asks and does, on top of all the leases there ever were. */
export async function benchReach(host: BenchHost, options: ReachOptions): Promise<ReachFigures> {
  const { ended, live, progress } = options
  const world = await startMixedWorld(host, 'reach')
  try {
    await world.openTask()
    await insertEndedLeases(world.databaseUrl, ended)
    progress(`${String(ended)} ended leases in the table`)
    await world.mint(live)
    progress(`${String(live)} leases minted on top`)
    await resetStatementTimes(world.databaseUrl)
    const questions = [
      await ask(world, options, 'leases by target'),
      await ask(world, options, 'preview by selector'),
    ]
    const [worker, other] = await Promise.all([world.startWorker(), world.startWorker()])
    const metricsMs = await timed(() =>
      fetch(new URL('/metrics', worker.url)).then((told) => told.text()),
    )
    const containment = await containLeases(world, live, world.pids([worker, other]))
    const slowest = await slowestStatements(world.databaseUrl, { but: OTHERS })
    return { ended, questions, targetP99Ms: 20, metricsMs, containment, slowest }
  } finally {
    await world.stop()
  }
}

/** "What can reach this repository?", one at a time through the API, each about another one. */
async function ask(
  world: MixedWorld,
  { asked }: ReachOptions,
  question: 'leases by target' | 'preview by selector',
): Promise<Answered> {
  const token = await world.signIn()
  const times: number[] = []
  for (let n = 0; n < asked; n += 1) {
    const repository = `old/r${String(n % REPOSITORIES)}`
    const asking = (): Promise<unknown> =>
      question === 'leases by target'
        ? world.client.listLeases({ live: true, target: `github:repo:${repository}` }, { token })
        : world.client.previewContainment({ selector: { repository } }, { token })
    times.push(await timed(asking))
  }
  return { question, p50Ms: percentile(times, 0.5), p99Ms: percentile(times, 0.99) }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return performance.now() - startedAt
}
