import { MayflyError } from './errors.ts'
import type { LeaseStore } from './lease-store.ts'
import type { EndReason, Lease } from './lease.ts'
import type { Report } from './report.ts'
import type { RevocationQueue } from './revocation-queue.ts'
import type { RevokeLease } from './revoke-lease.ts'

export interface EndLeaseDeps {
  readonly leases: Pick<LeaseStore, 'end' | 'find'>
  readonly queue: RevocationQueue
  readonly revoke: RevokeLease
  readonly report: Report
}

export type EndLease = (leaseId: string, reason: EndReason, signal: AbortSignal) => Promise<Lease>

/**
 * Ends a lease now and tries to kill its credential before answering. The answer is the row as it
 * stands: `revoked` with its proof, or honestly not yet.
 */
export function makeEndLease(deps: EndLeaseDeps): EndLease {
  return async (leaseId, reason, signal) => {
    await deps.leases.end(leaseId, reason)
    // From here on the database says that the lease is over; a failure below delays, and no more.
    const outcome = await deps.revoke(leaseId, signal).catch((error: unknown) => {
      deps.report('revocation attempt did not finish', error, { leaseId })
      return { outcome: 'nothing_to_do' as const }
    })
    if ('at' in outcome) {
      await deps.queue.schedule(leaseId, outcome.at).catch((error: unknown) => {
        deps.report('revocation not scheduled; the sweeper will find it', error, { leaseId })
      })
    }
    const lease = await deps.leases.find(leaseId)
    if (!lease) throw new MayflyError('lease_unknown', `no lease ${leaseId}`)
    return lease
  }
}
