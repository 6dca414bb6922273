import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'

import { makeShutdown } from '@mayfly/runtime'

import { redisVersion } from '../support/redis-server.ts'
import { bundle } from './bundle.ts'
import type { ChaosRun } from './chaos-run.ts'
import { runLanes, type LanesResult } from './lanes.ts'
import { runRandom } from './random.ts'
import { renderProblems, renderTable, summaryOf, totalsOf } from './report.ts'
import { clockRows } from './rows/clock-rows.ts'
import { containmentRows } from './rows/containment-rows.ts'
import { freezeRows } from './rows/freeze-rows.ts'
import { issueRows } from './rows/issue-rows.ts'
import { providerRows } from './rows/provider-rows.ts'
import { revokeRows } from './rows/revoke-rows.ts'
import { webhookRows } from './rows/webhook-rows.ts'
import { worldRows } from './rows/world-rows.ts'
import { runSelfTest } from './self-test.ts'

const { values } = parseArgs({
  options: {
    json: { type: 'string' },
    only: { type: 'string' },
    lanes: { type: 'string', default: '4' },
    'self-test': { type: 'boolean', default: false },
    random: { type: 'boolean', default: false },
    minutes: { type: 'string', default: '3' },
    seed: { type: 'string' },
  },
})

const say = (text: string): void => void process.stdout.write(`${text}\n`)
const startedAt = Date.now()
const redis = redisVersion()
say(redis === null ? 'No redis-server on the PATH: PostgreSQL queue only.' : `Redis ${redis}.`)

const shutdown = makeShutdown({
  stepMilliseconds: 30_000,
  onError: (step, error) => {
    say(`${step} did not stop: ${String(error)}`)
  },
})
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void shutdown.run().then(() => process.exit(130)))
const bundled = await bundle()
shutdown.add('bundle', () => {
  bundled.remove()
})

const { results, skipped } = await runAll({ bundle: bundled, shutdown, say })
await shutdown.run()
say(`\n${renderTable(results)}\n`)
const totals = totalsOf(results)
say(
  `${String(totals.rows)} rows, ${String(totals.broken)} broken; ${String(totals.issued)} credentials issued, ` +
    `${String(totals.liveAtBound)} live past their bound; slowest recovery ${totals.slowestSeconds.toFixed(1)} s; ` +
    `took ${((Date.now() - startedAt) / 60_000).toFixed(1)} min`,
)
if (totals.broken > 0) say(`\n${renderProblems(results)}`)
if (values.json !== undefined)
  writeFileSync(values.json, `${JSON.stringify({ totals, skipped, results }, null, 2)}\n`)
say(summaryOf(results, skipped))
process.exit(totals.broken > 0 || totals.liveAtBound > 0 || totals.rows === 0 ? 1 : 0)

async function runAll(run: ChaosRun): Promise<LanesResult> {
  const withRedis = redis !== null
  if (values['self-test']) return { results: await runSelfTest(run), skipped: 0 }
  if (values.random) {
    const results = await runRandom({
      minutes: Number(values.minutes),
      seed: values.seed ?? String(Date.now()),
      queue: withRedis ? 'redis' : 'postgres',
      run,
    })
    return { results, skipped: 0 }
  }
  const rows = [
    // Those that take longest come first, so that no lane is left alone with one.
    ...worldRows,
    ...providerRows,
    ...webhookRows,
    ...clockRows,
    ...revokeRows,
    ...containmentRows,
    ...freezeRows,
    ...issueRows,
  ]
  const { only } = values
  const chosen = rows.filter(
    ({ group, name }) => only === undefined || new RegExp(only).test(`${group}, ${name}`),
  )
  return runLanes({ rows: chosen, lanes: Number(values.lanes), withRedis, run })
}
