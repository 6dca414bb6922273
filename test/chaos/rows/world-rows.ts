import { setTimeout as pause } from 'node:timers/promises'

import { makeRevocationQueue } from '@mayfly/queue'

import { ERRAND_NAMES } from '../../support/errands.ts'
import { CREDENTIALS_OF_ALL, issueAll, mustIssueAll, openTask } from '../drive.ts'
import { flushRedis } from '../flush-redis.ts'
import type { Row, Stage } from '../row.ts'
import { LONG_TTL_SECONDS, OUTAGE_SECONDS, SHORT_TTL_SECONDS } from '../settings.ts'

const issues = CREDENTIALS_OF_ALL

const OUTAGE = `away for ${String(OUTAGE_SECONDS)} s`

/** The servers that Mayfly stands on die, come back, forget, or never come. */
export const worldRows: readonly Row[] = [
  {
    ...{ group: 'PostgreSQL', name: 'killed and started again, while minting' },
    mayBeIrrevocable: true,
    run: (stage) => postgresDies(stage, 0),
  },
  {
    ...{ group: 'PostgreSQL', name: `${OUTAGE}, while minting`, mayBeIrrevocable: true },
    run: (stage) => postgresDies(stage, OUTAGE_SECONDS),
  },
  {
    ...{ group: 'PostgreSQL', name: `${OUTAGE}, while leases end`, issues },
    run: async (stage) => {
      const { postgres } = stage.stack
      await mustIssueAll(stage.stack, await openTask(stage.stack), SHORT_TTL_SECONDS)
      await postgres.crash()
      await pause(OUTAGE_SECONDS * 1000)
      await postgres.restart()
      stage.mark()
    },
  },
  {
    ...{ group: 'Redis', name: 'killed and started again', queue: 'redis', issues },
    run: async (stage) => {
      await mustIssueAll(stage.stack, await openTask(stage.stack), SHORT_TTL_SECONDS)
      await stage.stack.redis?.sever()
      stage.mark()
      await pause(1_000)
      await stage.stack.redis?.restore()
    },
  },
  {
    ...{ group: 'Redis', name: 'flushed after the alarms were set', queue: 'redis', issues },
    run: async (stage) => {
      await mustIssueAll(stage.stack, await openTask(stage.stack), SHORT_TTL_SECONDS)
      stage.mark()
      await flushRedis(stage.stack.redis)
    },
  },
  {
    ...{
      group: 'Redis',
      name: 'away all the time, until the last has died',
      queue: 'redis',
      issues,
    },
    run: async (stage) => {
      const { redis } = stage.stack
      await redis?.sever()
      try {
        const { task } = await openTask(stage.stack).then(async (opened) => {
          await mustIssueAll(stage.stack, opened, SHORT_TTL_SECONDS)
          return opened
        })
        stage.mark()
        await stage.until('every lease revoked without Redis', async () => {
          const left = await stage.stack.rows(
            `SELECT 1 FROM leases WHERE task_id = '${task.id}' AND state <> 'revoked'`,
          )
          return left?.length === 0
        })
      } finally {
        await redis?.restore()
      }
    },
  },
  {
    ...{
      group: 'workers',
      name: 'every alarm five times, two workers and their sweepers',
      issues,
    },
    run: duplicates,
  },
  {
    ...{ group: 'workers', name: 'SIGTERM in the middle of revocations', issues },
    run: terminated,
  },
  {
    ...{ group: 'broker', name: 'SIGTERM in the middle of mints', mayBeIrrevocable: true },
    run: async (stage) => {
      const task = await openTask(stage.stack)
      const { github, vault } = stage.stack.standins
      github.faults.next({ kind: 'slow', milliseconds: 1_000 }, 'mint')
      vault.fault({ path: 'auth/token/create', times: 1, fault: { kind: 'lost' } })
      const asking = issueAll(stage.stack, task, SHORT_TTL_SECONDS)
      await pause(200)
      stage.mark()
      await stage.stack.broker.replace()
      await asking
    },
  },
]

/** With one lease of every kind just minted and not yet active, and more on their way. */
async function postgresDies(stage: Stage, seconds: number): Promise<void> {
  const { stack } = stage
  const tasks = await Promise.all([1, 2, 3, 4].map(() => openTask(stack)))
  stage.arm({
    ...{ app: 'broker', point: 'provider.mint:after', times: ERRAND_NAMES.length },
    action: { kind: 'hang', milliseconds: 800 },
  })
  const asking = tasks.map(async (task, index) => {
    await pause(index * 150)
    return issueAll(stack, task, SHORT_TTL_SECONDS)
  })
  await stage.untilFired()
  await stack.postgres.crash()
  await pause(seconds * 1000)
  await stack.postgres.restart()
  stage.mark()
  await Promise.all(asking)
}

async function duplicates(stage: Stage): Promise<void> {
  const { stack } = stage
  const second = await stack.startWorker('second worker')
  const { DATABASE_URL: databaseUrl = '', REDIS_URL: redisUrl } = stack.environment
  const queue = makeRevocationQueue({ databaseUrl, redisUrl })
  try {
    await queue.waitUntilReady()
    const task = await openTask(stack)
    const leases = await mustIssueAll(stack, task, LONG_TTL_SECONDS)
    await stack.client.closeTask(task.task.id, { token: task.taskToken })
    stage.mark()
    const now = Date.now()
    const instants = [0, 1, 2, 150, 300].map((ms) => new Date(now + ms))
    // On a busy machine some come too late to be set; those that are set are enough.
    await Promise.allSettled(
      leases.flatMap(({ lease }) => instants.map((at) => queue.schedule(lease.id, at))),
    )
    // The alarms of the leases' own ends stay where they are, ten minutes away.
    await stage.until('nobody has anything left to do', async () => {
      const depth = await queue.depth().catch(() => null)
      return depth !== null && depth.waiting + depth.active === 0
    })
  } finally {
    await queue.close()
    await second.stop()
  }
}

async function terminated(stage: Stage): Promise<void> {
  const { stack } = stage
  const { github, aws, vault } = stack.standins
  const task = await openTask(stack)
  await mustIssueAll(stack, task, LONG_TTL_SECONDS)
  github.faults.next({ kind: 'hang' }, 'revoke')
  aws.faults.next({ kind: 'hang', operation: 'GetRolePolicy' })
  vault.fault({ path: 'auth/token/revoke-accessor', times: 1, fault: { kind: 'hang' } })
  await stack.client.closeTask(task.task.id, { token: task.taskToken })
  await stage.until('a revocation under way', () =>
    github.requests().some(({ method }) => method === 'DELETE'),
  )
  stage.mark()
  await stack.worker.replace()
}
