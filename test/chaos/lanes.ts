import type { ChaosRun } from './chaos-run.ts'
import { startChaosStack, type ChaosStack } from './chaos-stack.ts'
import type { Row } from './row.ts'
import { runRow, type RowResult } from './run-row.ts'
import { mustBeTold } from './witness.ts'

export interface LanesOptions {
  readonly rows: readonly Row[]
  readonly lanes: number
  readonly withRedis: boolean
  readonly run: ChaosRun
}

export interface LanesResult {
  readonly results: readonly RowResult[]
  /** Rows that this machine cannot set up. */
  readonly skipped: number
}

/**
 * Each process that comes back logs in at Vault anew, and a token whose answer was lost is searched
 * for among all that there are: after so many rows a stack is replaced, before that takes its time.
 */
const ROWS_PER_STACK = 20

/** Several stacks side by side that share nothing; in each of them one row after the other. */
export async function runLanes(options: LanesOptions): Promise<LanesResult> {
  const { rows, withRedis, run } = options
  const waiting = rows.filter(({ queue }) => queue !== 'redis' || withRedis)
  const leftOut = rows.filter((row) => !waiting.includes(row))
  for (const { group, name } of leftOut) run.say(`left out, it needs Redis: ${group}, ${name}`)
  const results = new Map<Row, RowResult>()
  const told: RowResult[] = []
  const take = (queue: ChaosStack['queue']): Row | undefined => {
    const index = waiting.findIndex((row) => row.queue === undefined || row.queue === queue)
    return index < 0 ? undefined : waiting.splice(index, 1)[0]
  }

  async function lane(queue: ChaosStack['queue']): Promise<void> {
    for (let row = take(queue); row; row = take(queue)) await onNewStack(queue, row)
  }

  async function onNewStack(queue: ChaosStack['queue'], first: Row): Promise<void> {
    const stack = await startChaosStack({ queue, run })
    try {
      let row: Row | undefined = first
      for (let left = ROWS_PER_STACK - 1; row; left -= 1) {
        const result = await runRow(stack, row)
        results.set(row, result)
        run.say(progress(result))
        row = left > 0 ? take(queue) : undefined
      }
      told.push(await judgeWitness(stack))
    } finally {
      await stack.stop()
    }
  }

  const kinds = Array.from({ length: options.lanes }, (_, index) =>
    withRedis && index % 2 === 0 ? ('redis' as const) : ('postgres' as const),
  )
  const ended = await Promise.allSettled(kinds.map(lane))
  for (const one of ended) if (one.status === 'rejected') throw one.reason
  return {
    results: [...rows.flatMap((row) => results.get(row) ?? []), ...told],
    skipped: leftOut.length,
  }
}

/** One more row for each stack, over all that has happened on it. */
async function judgeWitness(stack: ChaosStack): Promise<RowResult> {
  const startedAt = Date.now()
  const problems: string[] = []
  await mustBeTold(stack).catch((error: unknown) => problems.push(String(error)))
  return {
    ...{ group: 'webhooks', name: 'all that happened was told, in order', queue: stack.queue },
    outcome: problems.length === 0 ? 'held' : 'broken',
    ...{ leases: 'none', issued: 0, liveAtBound: 0, brokenPromises: problems.length, problems },
    recoverySeconds: (Date.now() - startedAt) / 1000,
  }
}

function progress({ outcome, group, name, recoverySeconds, leases, problems }: RowResult): string {
  const took = recoverySeconds === null ? '–' : `${recoverySeconds.toFixed(1)} s`
  const why = problems.map((one) => `\n     ${one}`).join('')
  return `${outcome === 'held' ? 'ok ' : 'BAD'} ${group}, ${name}: ${leases} (${took})${why}`
}
