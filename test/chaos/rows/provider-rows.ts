import { z } from 'zod'

import { ERRAND_NAMES } from '../../support/errands.ts'
import { CREDENTIALS_OF_ALL, issueAll, mustIssueAll, openTask } from '../drive.ts'
import { RETRY_AFTER_SECONDS, throttled } from '../throttled.ts'
import { unavailable } from '../unavailable.ts'
import { healStandins } from '../run-row.ts'
import type { Row, Stage } from '../row.ts'
import { LONG_TTL_SECONDS, SHORT_TTL_SECONDS } from '../settings.ts'

const issues = CREDENTIALS_OF_ALL

/** More than enough for every request that a row can make. */
const ALWAYS = 500

/** Providers that hang, fail, throttle, or whose answers are lost. */
export const providerRows: readonly Row[] = [
  {
    ...{ group: 'providers', name: 'the answer to each mint is lost', mayBeIrrevocable: true },
    // The database user is made by a second request, whose helper token is what is lost here.
    issues: 4,
    run: async (stage) => {
      const { github, aws, vault } = stage.stack.standins
      github.faults.next({ kind: 'lost' }, 'mint')
      aws.faults.next({ kind: 'lost', operation: 'AssumeRole', times: ALWAYS })
      vault.fault({ path: 'auth/token/create', times: 2, fault: { kind: 'lost' } })
      await mint(stage)
    },
  },
  {
    ...{ group: 'providers', name: 'the answer with the database user is lost', issues },
    run: async (stage) => {
      const { vault } = stage.stack.standins
      vault.fault({ path: 'database/creds', times: 1, fault: { kind: 'lost' } })
      await mint(stage)
    },
  },
  {
    ...{ group: 'providers', name: 'mints hang', issues: 0, mayBeIrrevocable: true },
    run: async (stage) => {
      const { github, aws, vault } = stage.stack.standins
      github.faults.next({ kind: 'hang' }, 'mint')
      aws.faults.next({ kind: 'hang', operation: 'AssumeRole', times: ALWAYS })
      vault.fault({ path: 'auth/token/create', fault: { kind: 'hang' } })
      await mint(stage)
      healStandins(stage.stack)
    },
  },
  {
    ...{ group: 'providers', name: 'revocations hang for three attempts', issues, boundMs: 60_000 },
    run: (stage) =>
      failing(stage, 3, (times) => {
        const { github, aws, vault } = stage.stack.standins
        for (let count = 0; count < times; count += 1)
          github.faults.next({ kind: 'hang' }, 'revoke')
        aws.faults.next({ kind: 'hang', operation: 'GetRolePolicy', times: ALWAYS })
        vault.fault({ path: 'sys/leases/revoke', fault: { kind: 'hang' } })
        vault.fault({ path: 'auth/token/revoke-accessor', fault: { kind: 'hang' } })
      }),
  },
  {
    ...{ group: 'providers', name: '5xx for 20 minutes of the retry schedule' },
    ...{ issues, boundMs: 120_000 },
    run: unavailable,
  },
  {
    ...{
      group: 'providers',
      name: `throttled, Retry-After ${String(RETRY_AFTER_SECONDS)} s`,
      issues,
    },
    run: throttled,
  },
  {
    ...{ group: 'providers', name: 'the caller goes away in the middle of a mint', issues: 1 },
    run: async (stage) => {
      const { stack } = stage
      const { task, taskToken } = await openTask(stack)
      stack.standins.github.faults.next({ kind: 'slow', milliseconds: 800 }, 'mint')
      const gone = AbortSignal.timeout(400)
      const { template, actions, parameters } = {
        ...{ template: 'github-feature-branch', actions: ['repo.write'] as ['repo.write'] },
        parameters: { repository: 'acme/payments' },
      }
      await stack.client
        .openLease(
          { template, actions, parameters, ttlSeconds: LONG_TTL_SECONDS },
          { token: taskToken, signal: gone },
        )
        .catch(() => undefined)
      stage.mark()
      await stage.until('the mint came through', async () => {
        const leases = await stack.rows(
          `SELECT 1 FROM leases WHERE task_id = '${task.id}' AND state <> 'pending'`,
        )
        return leases?.length === 1
      })
    },
  },
]

async function mint(stage: Stage): Promise<void> {
  const task = await openTask(stage.stack)
  stage.mark()
  await issueAll(stage.stack, task, SHORT_TTL_SECONDS)
}

/** Every lease is tried so often in vain; then the providers are well again. */
async function failing(
  stage: Stage,
  attempts: number,
  fault: (attempts: number) => void,
): Promise<void> {
  const { stack } = stage
  const task = await openTask(stack)
  await mustIssueAll(stack, task, LONG_TTL_SECONDS)
  fault(attempts)
  await stack.client.closeTask(task.task.id, { token: task.taskToken })
  await stage.until(
    `${String(attempts)} attempts at each lease`,
    async () => {
      const tries = await attemptsOf(stage, task.task.id)
      return tries.length === ERRAND_NAMES.length && tries.every((count) => count >= attempts)
    },
    110_000,
  )
  healStandins(stack)
  stage.mark()
}

const triesSchema = z.array(z.object({ tries: z.int() }))

async function attemptsOf({ stack }: Stage, taskId: string): Promise<readonly number[]> {
  const rows = await stack.rows(
    `SELECT revocation_attempts AS tries FROM leases WHERE task_id = '${taskId}'`,
  )
  return triesSchema.parse(rows ?? []).map(({ tries }) => tries)
}
