import type { CloseTask } from './close-task.ts'
import type { LeaseStore, TaskStore } from './ports.ts'
import type { Report } from './report.ts'
import type { RevokeLease } from './revoke-lease.ts'

export interface SweepDeps {
  readonly leases: Pick<LeaseStore, 'due'>
  readonly tasks: Pick<TaskStore, 'overdue'>
  readonly closeTask: CloseTask
  readonly revoke: RevokeLease
  readonly batchSize: number
  readonly concurrency: number
  readonly report: Report
}

export interface SweepResult {
  readonly tasksClosed: number
  readonly revoked: number
  readonly retried: number
  /** A full batch was found: there may be more, so sweep again at once. */
  readonly more: boolean
}

export type Sweep = (signal: AbortSignal) => Promise<SweepResult>

/**
 * One pass over everything that is due by the database's clock. It needs no queue: with the queue
 * gone this alone ends every task and lease, only less punctually (R90).
 */
export function makeSweep(deps: SweepDeps): Sweep {
  return async (signal) => {
    const taskIds = await deps.tasks.overdue(deps.batchSize)
    let tasksClosed = 0
    for (const taskId of taskIds) if (await closeOverdue(deps, taskId)) tasksClosed += 1

    const leaseIds = await deps.leases.due(deps.batchSize)
    const counts = { revoked: 0, retried: 0 }
    await eachConcurrently(leaseIds, deps.concurrency, async (leaseId) => {
      if (signal.aborted) return
      try {
        const { outcome } = await deps.revoke(leaseId, signal)
        if (outcome === 'revoked') counts.revoked += 1
        if (outcome === 'retry') counts.retried += 1
      } catch (error) {
        // One lease that cannot be claimed must not keep the rest of the batch alive.
        deps.report('sweep could not revoke a lease', error, { leaseId })
      }
    })
    const more = taskIds.length === deps.batchSize || leaseIds.length === deps.batchSize
    return { tasksClosed, ...counts, more: more && !signal.aborted }
  }
}

/** A task that cannot be closed must not keep the leases of all others alive. */
async function closeOverdue(deps: SweepDeps, taskId: string): Promise<boolean> {
  try {
    await deps.closeTask(taskId, 'overdue')
    return true
  } catch (error) {
    deps.report('sweep could not close a task', error, { taskId })
    return false
  }
}

async function eachConcurrently<Item>(
  items: readonly Item[],
  concurrency: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const queue = items.values()
  const lane = async (): Promise<void> => {
    for (const item of queue) await work(item)
  }
  await Promise.all(Array.from({ length: Math.min(concurrency, items.length) }, lane))
}
