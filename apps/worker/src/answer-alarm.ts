import type { Clock, Report, RevocationQueue, RevokeLease } from '@mayfly/core'

export interface AnswerAlarmDeps {
  readonly revoke: RevokeLease
  readonly queue: RevocationQueue
  readonly clock: Clock
  readonly report: Report
}

/**
 * The database's clock decides what is due. Where ours is ahead of it, a lease is not due when its
 * alarm rings, and without this pause the alarm would ring in a circle until it is.
 */
const SOONEST_MS = 250

/** Revokes the lease that an alarm rang for, and sets the next alarm when it is not dead yet. */
export function makeAnswerAlarm(deps: AnswerAlarmDeps): RevokeAlarmed {
  return async (leaseId, signal) => {
    const result = await deps.revoke(leaseId, signal)
    if (result.outcome !== 'retry' && result.outcome !== 'not_due') return

    const soonest = deps.clock.now().getTime() + SOONEST_MS
    const at = new Date(Math.max(result.at.getTime(), soonest))
    await deps.queue.schedule(leaseId, at).catch((error: unknown) => {
      deps.report('revocation not scheduled; the sweeper will find it', error, { leaseId })
    })
  }
}

export type RevokeAlarmed = (leaseId: string, signal: AbortSignal) => Promise<void>
