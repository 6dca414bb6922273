import type { ChaosRun } from './chaos-run.ts'
import { startChaosStack, type ChaosStack } from './chaos-stack.ts'
import type { Row } from './row.ts'
import { runRow, type RowResult } from './run-row.ts'

export interface LanesOptions {
  readonly rows: readonly Row[]
  readonly lanes: number
  readonly withRedis: boolean
  readonly run: ChaosRun
}

/** Several stacks side by side that share nothing; in each of them one row after the other. */
export async function runLanes(options: LanesOptions): Promise<readonly RowResult[]> {
  const { rows, withRedis, run } = options
  const waiting = rows.filter(({ queue }) => queue !== 'redis' || withRedis)
  for (const { group, name } of rows.filter((row) => !waiting.includes(row)))
    run.say(`left out, it needs Redis: ${group}, ${name}`)
  const results = new Map<Row, RowResult>()
  const take = (queue: ChaosStack['queue']): Row | undefined => {
    const index = waiting.findIndex((row) => row.queue === undefined || row.queue === queue)
    return index < 0 ? undefined : waiting.splice(index, 1)[0]
  }

  async function lane(queue: ChaosStack['queue']): Promise<void> {
    const stack = await startChaosStack({ queue, run })
    try {
      for (let row = take(queue); row; row = take(queue)) {
        const result = await runRow(stack, row)
        results.set(row, result)
        run.say(progress(result))
      }
    } finally {
      await stack.stop()
    }
  }

  const kinds = Array.from({ length: options.lanes }, (_, index) =>
    withRedis && index % 2 === 0 ? ('redis' as const) : ('postgres' as const),
  )
  const ended = await Promise.allSettled(kinds.map(lane))
  for (const one of ended) if (one.status === 'rejected') throw one.reason
  return rows.flatMap((row) => results.get(row) ?? [])
}

function progress({ outcome, group, name, recoverySeconds, leases, problems }: RowResult): string {
  const took = recoverySeconds === null ? '–' : `${recoverySeconds.toFixed(1)} s`
  const why = problems.map((one) => `\n     ${one}`).join('')
  return `${outcome === 'held' ? 'ok ' : 'BAD'} ${group}, ${name}: ${leases} (${took})${why}`
}
