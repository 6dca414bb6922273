import type { Clock } from './clock.ts'
import type { Report } from './report.ts'
import type { RevocationQueue } from './revocation-queue.ts'
import type { ClosedTask, TaskStore } from './task-store.ts'

export interface CloseTaskDeps {
  readonly tasks: Pick<TaskStore, 'close'>
  readonly queue: RevocationQueue
  readonly clock: Clock
  readonly report: Report
}

export type CloseTask = (
  taskId: string,
  reason: Parameters<TaskStore['close']>[1],
) => Promise<ClosedTask>

/** Closes a task; every lease in it is over in the same transaction, and workers are woken (R24). */
export function makeCloseTask(deps: CloseTaskDeps): CloseTask {
  return async (taskId, reason) => {
    const closed = await deps.tasks.close(taskId, reason)
    const wake = (leaseId: string): Promise<void> =>
      deps.queue.schedule(leaseId, deps.clock.now()).catch((error: unknown) => {
        deps.report('revocation not scheduled; the sweeper will find it', error, { leaseId })
      })
    await Promise.all(closed.leaseIds.map(wake))
    return closed
  }
}
