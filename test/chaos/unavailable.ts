import { retryAt } from '@mayfly/core'
import { loadConfig } from '@mayfly/worker'

import { ERRAND_NAMES } from '../support/errands.ts'
import { mustIssueAll, openTask } from './drive.ts'
import type { Stage } from './row.ts'
import { healStandins } from './run-row.ts'
import { LONG_TTL_SECONDS } from './settings.ts'

const OUTAGE_SECONDS = 20 * 60

/** Twenty minutes of pauses pass in forty seconds. */
const FACTOR = 30

const DEADLINE_MS = 180_000

/** More than enough for every request that can be made meanwhile. */
const ALWAYS = 500

/** Every provider answers 503 until the product has waited for twenty minutes, by its own schedule. */
export async function unavailable(stage: Stage): Promise<void> {
  const { stack } = stage
  const { retryCapSeconds } = loadConfig({ ...stack.environment, REVOCATION_RETRY_CAP_SECONDS: '' })
  await stack.worker.replace({
    CHAOS_TIME_FACTOR: String(FACTOR),
    REVOCATION_RETRY_CAP_SECONDS: String(retryCapSeconds),
  })
  try {
    const task = await openTask(stack)
    const leases = await mustIssueAll(stack, task, LONG_TTL_SECONDS)
    failAll(stage)
    await stack.client.closeTask(task.task.id, { token: task.taskToken })
    const pausesOf = ({ lease }: (typeof leases)[number]): readonly number[] =>
      stack.pauses().get(lease.id) ?? []
    await stage.until(
      `${String(ERRAND_NAMES.length)} leases have been tried for ${String(OUTAGE_SECONDS)} s`,
      () => leases.every((lease) => sum(pausesOf(lease)) >= OUTAGE_SECONDS),
      DEADLINE_MS,
    )
    healStandins(stack)
    stage.mark()
    stage.afterwards(() => {
      for (const lease of leases) mustBePatient(pausesOf(lease), retryCapSeconds)
      return Promise.resolve()
    })
    await stage.until('every lease is revoked', async () => {
      const left = await stack.rows(
        `SELECT 1 FROM leases WHERE task_id = '${task.task.id}' AND state <> 'revoked'`,
      )
      return left?.length === 0
    })
  } finally {
    await stack.worker.replace()
  }
}

function failAll({ stack: { standins } }: Stage): void {
  const { github, aws, vault } = standins
  for (let count = 0; count < ALWAYS; count += 1)
    github.faults.next({ kind: 'status', status: 503 }, 'revoke')
  const down = { kind: 'error', status: 503, code: 'ServiceUnavailable' } as const
  aws.faults.next({ ...down, operation: 'GetRolePolicy', times: ALWAYS })
  vault.fault({ path: '', fault: { kind: 'status', status: 503 } })
}

/** No pause is shorter than the shortest that the product's own rule gives for that attempt. */
function mustBePatient(pauses: readonly number[], capSeconds: number): void {
  const retry = { baseSeconds: 1, capSeconds, random: () => 0 }
  const now = new Date(0)
  for (const [index, seconds] of pauses.entries()) {
    const least = retryAt(retry, { attempt: index + 1, now, error: null }).getTime() / 1000
    if (seconds < least)
      throw new Error(`only ${seconds.toFixed(1)} s after attempt ${String(index + 1)}`)
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0)
}
