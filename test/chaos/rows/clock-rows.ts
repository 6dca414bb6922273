import { setTimeout as pause } from 'node:timers/promises'

import { type OpenedTask } from '@mayfly/protocol'
import { z } from 'zod'

import type { ChaosStack } from '../chaos-stack.ts'
import { CREDENTIALS_OF_ALL, issueAll, mustIssueAll, openTask } from '../drive.ts'
import { askStandins } from '../invariant.ts'
import { NotSet, type Row, type Stage } from '../row.ts'
import { boundMs, SHORT_TTL_SECONDS } from '../settings.ts'

const MINUTES = [5, -5] as const

/** By a clock that is so wrong, a credential of this length is over before it begins. */
const SHORTER_THAN_WRONG_SECONDS = 200

/** Processes whose clock is wrong. Leases go by the clock of the database. */
export const clockRows: readonly Row[] = MINUTES.flatMap((minutes) => {
  const clock = `clock ${minutes > 0 ? '+' : ''}${String(minutes)} minutes`
  return [
    {
      ...{ group: 'workers', name: clock, issues: CREDENTIALS_OF_ALL },
      run: (stage: Stage) => inWorker(stage, minutes),
    },
    {
      ...{ group: 'broker', name: `${clock}, and nobody else's` },
      run: (stage: Stage) => inBroker(stage, minutes),
    },
    {
      ...{ group: 'broker', name: `${clock}, and the issuer's too` },
      run: (stage: Stage) => inBrokerAndIssuer(stage, minutes),
    },
  ]
})

/** A lease of every kind, ended early. */
async function inWorker(stage: Stage, minutes: number): Promise<void> {
  const { stack } = stage
  await stack.worker.replace(shifted(minutes))
  try {
    const task = await openTask(stack)
    await mustIssueAll(stack, task, SHORTER_THAN_WRONG_SECONDS)
    await stack.client.closeTask(task.task.id, { token: task.taskToken })
    stage.mark()
    await untilDead(stack, new Date(task.task.openedAt))
  } finally {
    await stack.worker.replace()
  }
}

/** It may refuse its callers, whose tokens look odd to it. What was issued before ends on time. */
async function inBroker(stage: Stage, minutes: number): Promise<void> {
  const { stack } = stage
  const task = await openTask(stack)
  await mustIssueAll(stack, task, SHORT_TTL_SECONDS + 5)
  await stack.broker.replace(shifted(minutes))
  try {
    await issueAll(stack, task, SHORT_TTL_SECONDS)
    await openTask(stack).then(
      (other) => issueAll(stack, other, SHORT_TTL_SECONDS),
      () => [],
    )
    stage.mark()
    await untilOver(stage, task.task.id)
  } finally {
    await stack.broker.replace()
  }
  stage.afterwards(() => mustEndOnTime(stack, task.task.id))
}

/** It believes its callers, and mints what the providers let it, with a clock that the database does not share. */
async function inBrokerAndIssuer(stage: Stage, minutes: number): Promise<void> {
  const { stack } = stage
  await stack.broker.replace(shifted(minutes))
  let task: OpenedTask
  try {
    task = await openTask(stack, { now: Date.now() + minutes * 60_000 })
    const byTime = await issueAll(stack, task, SHORT_TTL_SECONDS)
    const early = await issueAll(stack, task, SHORTER_THAN_WRONG_SECONDS)
    // Vault looks at no clock of ours, so that much must have been minted.
    if (byTime.length === 0 || early.length === 0) throw new NotSet('nothing was issued')
    stage.mark()
    const token = task.taskToken
    await Promise.all(
      early.map(({ lease }) => stack.client.revokeLease(lease.id, { token }).catch(() => null)),
    )
    await untilOver(stage, task.task.id)
  } finally {
    await stack.broker.replace()
  }
  stage.afterwards(() => mustEndOnTime(stack, task.task.id))
}

function shifted(minutes: number): Readonly<Record<string, string>> {
  return { CLOCK_SHIFT_MS: String(minutes * 60_000) }
}

/** While the clock is still wrong. */
async function untilOver(stage: Stage, taskId: string): Promise<void> {
  await stage.until('every lease of the task has ended', async () => {
    const left = await stage.stack.rows(
      `SELECT 1 FROM leases WHERE task_id = '${taskId}' AND due_at IS NOT NULL`,
    )
    return left?.length === 0
  })
}

const endSchema = z.array(
  z.object({ id: z.string(), early: z.number(), late: z.number().nullable() }),
)

/** Nothing that ended by itself ended before its time, or much after it. */
async function mustEndOnTime(stack: ChaosStack, taskId: string): Promise<void> {
  const rows = await stack.rows(
    `SELECT id, extract(epoch FROM expires_at - ended_at)::float AS early,
        extract(epoch FROM revoked_at - expires_at)::float AS late
      FROM leases WHERE task_id = '${taskId}' AND end_reason = 'lease_ended'`,
  )
  for (const { id, early, late } of endSchema.parse(rows ?? [])) {
    // One that was found dead by itself was not revoked.
    if (early > 0 || (late ?? 0) > boundMs(stack.startMs) / 1000)
      throw new Error(`${id} ended ${early.toFixed(1)} s early, ${(late ?? 0).toFixed(1)} s late`)
  }
}

/** By this worker, and none that comes after it. */
async function untilDead(stack: ChaosStack, from: Date): Promise<void> {
  const working = (): readonly string[] =>
    askStandins(stack)
      .filter(({ live, issuedAt }) => live && issuedAt >= from)
      .map(({ provider }) => provider)
  const deadline = Date.now() + boundMs(stack.startMs)
  while (working().length > 0) {
    if (Date.now() > deadline) throw new Error(`still works: ${working().join(', ')}`)
    await pause(100)
  }
}
