import { createHash } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'

import type { ChaosRun } from './chaos-run.ts'
import { startChaosStack, type ChaosStack } from './chaos-stack.ts'
import { issue, openTask } from './drive.ts'
import { containTask } from './incidents.ts'
import { makeSchedule, type What } from './random-schedule.ts'
import { flushRedis } from './flush-redis.ts'
import type { Row } from './row.ts'
import { healStandins, runRow, type RowResult } from './run-row.ts'
import { mustBeTold } from './witness.ts'

export interface RandomOptions {
  readonly minutes: number
  readonly seed: string
  readonly queue: 'redis' | 'postgres'
  readonly run: ChaosRun
}

/** Mixed work under whatever the seed chooses; then everything is well again, and nothing may be live. */
export async function runRandom(options: RandomOptions): Promise<readonly RowResult[]> {
  const { minutes, seed, queue, run } = options
  const schedule = makeSchedule(seed, minutes * 60_000)
  const digest = createHash('sha256').update(JSON.stringify(schedule)).digest('hex').slice(0, 12)
  run.say(`seed ${seed}: ${String(schedule.length)} happenings, schedule ${digest}`)
  const stack = await startChaosStack({ queue, run })
  const row: Row = {
    ...{ group: 'random', name: `seed ${seed}, ${String(minutes)} min`, mayBeIrrevocable: true },
    run: async (stage) => {
      await play(stack, schedule)
      stage.mark()
      stage.afterwards(() => mustBeTold(stack))
    },
  }
  try {
    const result = await runRow(stack, row)
    return [result.issued < least(schedule) ? tooLittle(result) : result]
  } finally {
    await stack.stop()
  }
}

/** A run in which next to nothing was issued has proven next to nothing. */
function least(schedule: ReturnType<typeof makeSchedule>): number {
  const asked = schedule.flatMap(({ what }) => (what.kind === 'work' ? what.errands : []))
  return asked.length / 10
}

function tooLittle(result: RowResult): RowResult {
  const problems = [...result.problems, 'hardly anything was issued: this proves nothing']
  return { ...result, outcome: 'broken', problems }
}

async function play(stack: ChaosStack, schedule: ReturnType<typeof makeSchedule>): Promise<void> {
  const startedAt = Date.now()
  const make = makeHappen(stack)
  const running: Promise<unknown>[] = []
  for (const { atMs, what } of schedule) {
    await pause(Math.max(0, startedAt + atMs - Date.now()))
    // What fails here is part of the game: the invariant is asked at the end.
    running.push(make(what).catch(() => undefined))
  }
  stack.plan([])
  healStandins(stack)
  await Promise.all(running)
  await stack.broker.untilReady()
  await stack.worker.untilReady()
}

function makeHappen(stack: ChaosStack): (what: What) => Promise<void> {
  let faults = 0
  let servers: Promise<void> = Promise.resolve()
  /** A server that is away cannot be taken away. */
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    servers = servers.then(work, work)
    return servers
  }

  return async (what) => {
    switch (what.kind) {
      case 'work':
        return doWork(stack, what)
      case 'kill':
        stack[what.app].signal('SIGKILL')
        return
      case 'terminate':
        return inTurn(() => stack[what.app].replace())
      case 'fault':
        faults += 1
        stack.plan([{ ...what.fault, id: `random.${String(faults)}` }])
        return
      case 'provider':
        spoil(stack, what)
        return
      case 'flush':
        return inTurn(() => flushRedis(stack.redis))
      case 'redis':
        return inTurn(async () => {
          await stack.redis?.sever()
          await pause(what.awayMs)
          await stack.redis?.restore()
        })
      case 'postgres':
        return inTurn(async () => {
          await stack.postgres.crash()
          await pause(what.awayMs)
          await stack.postgres.restart()
        })
    }
  }
}

async function doWork(
  stack: ChaosStack,
  { errands, ttlSeconds, ends, afterMs }: Extract<What, { kind: 'work' }>,
): Promise<void> {
  await stack.broker.untilReady()
  const task = await openTask(stack)
  const asked = await Promise.allSettled(
    errands.map((errand) => issue(stack, task, { errand, ttlSeconds })),
  )
  await pause(afterMs)
  const call = { token: task.taskToken }
  if (ends === 'closed') await stack.client.closeTask(task.task.id, call)
  if (ends === 'contained') await containTask(stack, task.task.id)
  if (ends !== 'revoked') return
  const leases = asked.flatMap((one) => (one.status === 'fulfilled' ? [one.value.lease] : []))
  await Promise.allSettled(leases.map(({ id }) => stack.client.revokeLease(id, call)))
}

function spoil(
  { standins: { github, aws, vault } }: ChaosStack,
  { provider, at, how }: Extract<What, { kind: 'provider' }>,
): void {
  const status = 503
  if (provider === 'github') {
    github.faults.next(how === 'status' ? { kind: how, status } : { kind: how }, at)
    return
  }
  if (provider === 'aws') {
    const operation = at === 'mint' ? 'AssumeRole' : 'PutRolePolicy'
    if (how === 'status')
      aws.faults.next({ kind: 'error', status, code: 'ServiceUnavailable', operation, times: 4 })
    else aws.faults.next({ kind: how, operation })
    return
  }
  const path = at === 'mint' ? 'auth/token/create' : 'auth/token/revoke-accessor'
  vault.fault({ path, times: 1, fault: how === 'status' ? { kind: how, status } : { kind: how } })
}
