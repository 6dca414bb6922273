import type { Idempotency } from './idempotency.ts'
import type { VerifiedToken } from './identity.ts'
import type { Declaration, Intent, Task } from './task.ts'

export interface TaskStore {
  /**
   * Records the task and the use of its workload token. Throws `token_replayed` when another task
   * used the token, `idempotency_conflict` for the same key with another body. The same key and
   * body give the task that exists.
   */
  open(task: NewTask): Promise<Task>
  find(taskId: string): Promise<Task | null>
  /** A fresh workload token of the same subject goes on with the task. Throws `token_replayed`. */
  renew(taskId: string, token: VerifiedToken): Promise<Task>
  /** Closes the task and ends every live lease in it, in one transaction. Idempotent. */
  close(taskId: string, reason: 'holder' | 'overdue' | 'operator'): Promise<ClosedTask>
  /** Ids of open tasks whose `notAfter` has passed. */
  overdue(limit: number): Promise<readonly string[]>
}

export interface NewTask {
  readonly id: string
  readonly token: VerifiedToken
  readonly agent: string
  readonly owner: string
  readonly environment: string
  readonly intent: Intent
  readonly declarations: readonly Declaration[]
  readonly lifetimeSeconds: number
  readonly idempotency: Idempotency | null
}

export interface ClosedTask {
  readonly task: Task
  /** Leases that are due now because of it. */
  readonly leaseIds: readonly string[]
}
