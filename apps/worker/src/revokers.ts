import {
  makeRevokeClaimed,
  makeRevokeLease,
  type Clock,
  type LeaseStore,
  type Providers,
  type RevokeClaimed,
  type RevokeLease,
} from '@mayfly/core'
import { inSpan } from '@mayfly/runtime'

import type { WorkerConfig } from './config.ts'
import { withDeadline } from './with-deadline.ts'

export interface RevokersDeps {
  readonly leases: Pick<LeaseStore, 'claim' | 'settle'>
  readonly providers: Providers
  readonly clock: Clock
  readonly config: Pick<WorkerConfig, 'attemptMs' | 'retryCapSeconds' | 'visibilitySeconds'>
}

/** The two ways to the same revocation, each attempt bounded, and told in the lease's own trace. */
export function makeRevokers({ leases, providers, clock, config }: RevokersDeps): {
  readonly revoke: RevokeLease
  readonly revokeClaimed: RevokeClaimed
} {
  const { attemptMs, retryCapSeconds, visibilitySeconds } = config
  const retry = { baseSeconds: 1, capSeconds: retryCapSeconds, random: Math.random }
  const deps = { leases, providers, clock, retry, visibilitySeconds }
  const revokeLease = makeRevokeLease(deps)
  const revokeTaken = makeRevokeClaimed(deps)
  return {
    revoke: (leaseId, signal) =>
      inSpan({ name: 'lease.revoke', inLease: leaseId }, () =>
        withDeadline(attemptMs, signal, (inner) => revokeLease(leaseId, inner)),
      ),
    revokeClaimed: (claimed, signal) =>
      inSpan({ name: 'lease.revoke', inLease: claimed.lease.id }, () =>
        withDeadline(attemptMs, signal, (inner) => revokeTaken(claimed, inner)),
      ),
  }
}
