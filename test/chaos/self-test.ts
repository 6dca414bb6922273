import type { ChaosRun } from './chaos-run.ts'
import { startChaosStack } from './chaos-stack.ts'
import { mustIssueAll, openTask } from './drive.ts'
import type { Row } from './row.ts'
import { runRow, type RowResult } from './run-row.ts'
import { SABOTAGES, type Sabotage } from './sabotage.ts'
import { LONG_TTL_SECONDS } from './settings.ts'

/** What a broken product must be caught at: each sabotage, and the words of its row. */
const EXPECTED: Readonly<Record<Sabotage, RegExp>> = {
  'settle-without-revoking': /is revoked .*and its \w+ credential works/,
  'mint-behind-the-books': /which no lease knows of/,
  'claim-nothing': /is live/,
}

const row: Row = {
  group: 'self-test',
  name: 'a task is closed',
  boundMs: 12_000,
  run: async (stage) => {
    const task = await openTask(stage.stack)
    await mustIssueAll(stage.stack, task, LONG_TTL_SECONDS)
    await stage.stack.client.closeTask(task.task.id, { token: task.taskToken })
    stage.mark()
  },
}

/** Breaks the product on purpose, and holds that the matrix notices: each result says whether it did. */
export async function runSelfTest(run: ChaosRun): Promise<readonly RowResult[]> {
  const results: RowResult[] = []
  for (const sabotage of SABOTAGES) {
    const stack = await startChaosStack({
      queue: 'postgres',
      run,
      environment: { CHAOS_SABOTAGE: sabotage },
    })
    try {
      const result = await runRow(stack, row)
      const caught = result.problems.some((problem) => EXPECTED[sabotage].test(problem))
      run.say(`${caught ? 'caught' : 'NOT CAUGHT'}: ${sabotage}: ${result.problems.join('; ')}`)
      results.push({
        ...result,
        name: `${sabotage} is caught`,
        outcome: caught ? 'held' : 'broken',
        liveAtBound: 0,
        brokenPromises: 0,
        problems: caught ? [] : [`the matrix did not notice: ${sabotage}`],
      })
    } finally {
      await stack.stop()
    }
  }
  return results
}
