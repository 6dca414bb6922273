import type { Clock } from '@mayfly/core'
import type { Overdue } from '@mayfly/store'

export interface ReadinessDeps {
  readonly overdue: () => Promise<Overdue>
  readonly secondsSincePass: () => number
  readonly sweepIntervalMs: number
  /** A lease that nobody has taken for this long means that revocation is not working (R96). */
  readonly lagObjectiveSeconds: number
  readonly clock: Clock
}

/** A pass over many leases of a slow provider takes its time. */
const SWEEP_LIMIT_SECONDS = 60

/** What the worker needs in order to do its work. */
export function makeReadiness(deps: ReadinessDeps): () => Promise<Record<string, boolean>> {
  const sweepLimit = Math.max(SWEEP_LIMIT_SECONDS, (deps.sweepIntervalMs / 1_000) * 3)
  return async () => {
    const overdue = await deps.overdue().catch(() => null)
    return {
      database: overdue !== null,
      sweep: deps.secondsSincePass() < sweepLimit,
      lag: overdue !== null && lagSeconds(overdue, deps.clock) < deps.lagObjectiveSeconds,
    }
  }
}

/** How long the longest overdue lease has been waiting. */
function lagSeconds({ oldestDueAt }: Overdue, clock: Clock): number {
  return oldestDueAt === null ? 0 : (clock.now().getTime() - oldestDueAt.getTime()) / 1_000
}
