import type { LeaseStore, Report } from '@mayfly/core'

import type { Database } from './database.ts'
import { makeDeliveries } from './deliveries.ts'
import { endLease } from './lease-endings.ts'
import { makeLeaseQueries, type Overdue } from './lease-queries.ts'
import { makeMintOutcome } from './mint-outcome.ts'
import { makeOpenLease } from './open-lease.ts'
import { makeRevocationClaims } from './revocation-claims.ts'
import type { Sealer } from './sealer.ts'

export interface PostgresLeaseStore extends LeaseStore {
  overdue(): Promise<Overdue>
  /** Stores the deliveries that are still waiting. */
  close(): Promise<void>
}

/** The lease table in PostgreSQL. Every write carries its audit event in the same statement. */
export function makeLeaseStore(
  database: Database,
  sealer: Sealer,
  report: Report,
): PostgresLeaseStore {
  const deliveries = makeDeliveries(database, report)
  return {
    open: makeOpenLease(database, sealer),
    ...makeMintOutcome(database, sealer),
    delivered: (leaseId) => {
      deliveries.add(leaseId)
    },
    end: (leaseId, reason) => endLease(database, leaseId, reason),
    ...makeRevocationClaims(database, sealer, report),
    ...makeLeaseQueries(database),
    close: () => deliveries.close(),
  }
}
