import type { ClaimedLease } from './claim.ts'
import type { CloseTask } from './close-task.ts'
import { makeLanes, type Lanes } from './lanes.ts'
import type { LeaseStore } from './lease-store.ts'
import type { Report } from './report.ts'
import type { RevokeClaimed } from './revoke-lease.ts'
import type { TaskStore } from './task-store.ts'

export interface SweepDeps {
  readonly leases: Pick<LeaseStore, 'claimMany'>
  readonly tasks: Pick<TaskStore, 'overdue'>
  readonly closeTask: CloseTask
  /** Goes on with what a responder began. Returns how many leases that ended. */
  readonly resumeContainments: () => Promise<number>
  readonly revoke: RevokeClaimed
  /** Claimed in one statement. */
  readonly batchSize: number
  /** Revocations at once for each connection. */
  readonly concurrency: number
  /** As long as one attempt may take, and longer. */
  readonly visibilitySeconds: number
  /** Resolves when a pass has waited long enough for those leases that take their time. */
  readonly patience: () => Promise<void>
  readonly report: Report
}

export interface SweepResult {
  readonly tasksClosed: number
  readonly revoked: number
  readonly retried: number
  /** There is more to do, or in hand: sweep again at once. */
  readonly more: boolean
}

export type Sweep = (signal: AbortSignal) => Promise<SweepResult>

interface Counts {
  revoked: number
  retried: number
}

/**
 * One pass over everything that is due by the database's clock. It needs no queue: with the queue
 * gone this alone ends every task and lease, only less punctually (R90).
 *
 * Leases of a connection that does not answer stay in hand from pass to pass and keep none of the
 * others waiting. Under an aborted signal a pass takes nothing, and waits for what is in hand.
 */
export function makeSweep(deps: SweepDeps): Sweep {
  const lanes = makeLanes(deps.concurrency)
  const counts: Counts = { revoked: 0, retried: 0 }

  return async (signal) => {
    if (!signal.aborted) {
      await attempt(deps, 'sweep could not go on with containments', deps.resumeContainments)
    }
    const { closed, full } = await closeOverdueTasks(deps, signal)
    const add = (claimed: ClaimedLease): void => {
      lanes.add(claimed.lease.connection, () => revokeOne(deps, claimed, { signal, counts }))
    }
    const unhurried = await takeDue({ deps, lanes, add, signal })
    if (signal.aborted) await lanes.drained()
    else if (unhurried) await Promise.race([lanes.drained(), deps.patience()])
    const result = { tasksClosed: closed, ...counts }
    Object.assign(counts, { revoked: 0, retried: 0 })
    return { ...result, more: !signal.aborted && (full || lanes.inHand() > 0) }
  }
}

interface Taking {
  readonly deps: SweepDeps
  readonly lanes: Lanes
  readonly add: (claimed: ClaimedLease) => void
  readonly signal: AbortSignal
}

/**
 * Claims batch by batch until nothing is due, passing over connections that have enough in hand.
 * False when it lost patience with those.
 */
async function takeDue({ deps, lanes, add, signal }: Taking): Promise<boolean> {
  const { batchSize: limit, visibilitySeconds } = deps
  while (!signal.aborted) {
    const except = lanes.full()
    const { claimed, expired } = await deps.leases.claimMany({ limit, visibilitySeconds, except })
    claimed.forEach(add)
    if (claimed.length + expired >= limit) continue
    if (except.length === 0) return true
    const slow = await Promise.race([
      lanes.room().then(() => false),
      deps.patience().then(() => true),
    ])
    if (slow) return false
  }
  return true
}

async function revokeOne(
  deps: SweepDeps,
  claimed: ClaimedLease,
  { signal, counts }: { readonly signal: AbortSignal; readonly counts: Counts },
): Promise<void> {
  try {
    const { outcome } = await deps.revoke(claimed, signal)
    if (outcome === 'revoked') counts.revoked += 1
    if (outcome === 'retry') counts.retried += 1
  } catch (error) {
    // One lease that fails must not keep the rest of the batch alive.
    deps.report('sweep could not revoke a lease', error, { leaseId: claimed.lease.id })
  }
}

async function closeOverdueTasks(
  deps: SweepDeps,
  signal: AbortSignal,
): Promise<{ readonly closed: number; readonly full: boolean }> {
  if (signal.aborted) return { closed: 0, full: false }
  const taskIds = await deps.tasks.overdue(deps.batchSize)
  let closed = 0
  for (const taskId of taskIds) {
    // A task that cannot be closed must not keep the leases of all others alive.
    const close = (): Promise<unknown> => deps.closeTask(taskId, 'overdue')
    if (await attempt(deps, 'sweep could not close a task', close, { taskId })) closed += 1
  }
  return { closed, full: taskIds.length === deps.batchSize }
}

async function attempt(
  { report }: SweepDeps,
  failure: string,
  work: () => Promise<unknown>,
  context: Readonly<Record<string, string>> = {},
): Promise<boolean> {
  try {
    await work()
    return true
  } catch (error) {
    report(failure, error, context)
    return false
  }
}
