import {
  decideLease,
  declare,
  makeCloseTask,
  makeEndLease,
  makeIssueLease,
  makeOpenTask,
  makeRevokeLease,
  type CloseTask,
  type Clock,
  type EndLease,
  type IssueLease,
  type LeaseRequest,
  type NewId,
  type OpenTask,
  type PolicySet,
  type PolicySource,
  type Providers,
  type Report,
  type RevocationQueue,
  type Task,
} from '@mayfly/core'
import type { Store } from '@mayfly/store'

import type { BrokerConfig } from './config.ts'
import { meteredIssuing } from './metered-issuing.ts'
import type { BrokerMetrics } from './metrics.ts'

export interface UseCasesDeps {
  readonly config: BrokerConfig
  readonly store: Pick<Store, 'leases' | 'tasks' | 'audit'>
  readonly policies: PolicySource
  readonly providers: Providers
  readonly queue: RevocationQueue
  readonly metrics: BrokerMetrics
  readonly clock: Clock
  readonly newId: NewId
  readonly report: Report
}

export interface UseCases {
  readonly openTask: OpenTask
  readonly closeTask: CloseTask
  readonly issueLease: IssueLease
  readonly endLease: EndLease
  /** Bounds one attempt at a revocation. */
  readonly revocationSignal: () => AbortSignal
}

/** A response is written right after its lease is activated; what took longer than this never was. */
const DELIVERY_DEADLINE_SECONDS = 30

/** The use cases of the core with their times chosen, which depend on each other. */
export function makeUseCases(deps: UseCasesDeps): UseCases {
  const { config, store, policies, providers, queue, clock, newId, report } = deps
  const timeoutSeconds = Math.ceil(config.providerTimeoutMs / 1000)
  const providerSignal = (): AbortSignal => AbortSignal.timeout(config.providerTimeoutMs)

  const revoke = makeRevokeLease({
    leases: store.leases,
    providers,
    clock,
    retry: { baseSeconds: 2, capSeconds: 60, random: Math.random },
    visibilitySeconds: 2 * timeoutSeconds + 10,
  })
  const issuing = {
    policies,
    decide: (question: { policySet: PolicySet; task: Task; request: LeaseRequest }) =>
      decideLease({
        ...question,
        newId,
        now: clock.now(),
        ceilingSeconds: config.leaseTtlCeilingSeconds,
      }),
    providers,
    leases: store.leases,
    audit: store.audit,
    queue,
    revoke,
    newId,
    clock,
    report,
    providerSignal,
    // A mint may begin in the first half of this, and must be over in the second.
    mintDeadlineSeconds: 2 * timeoutSeconds + 10,
    deliveryDeadlineSeconds: DELIVERY_DEADLINE_SECONDS,
  }

  return {
    openTask: makeOpenTask({
      policies,
      declare,
      tasks: store.tasks,
      newId,
      defaultLifetimeSeconds: config.taskTtlDefaultSeconds,
      maxLifetimeSeconds: config.taskTtlCeilingSeconds,
    }),
    closeTask: makeCloseTask({ tasks: store.tasks, queue, clock, report }),
    issueLease: makeIssueLease(meteredIssuing(issuing, deps.metrics)),
    endLease: makeEndLease({ leases: store.leases, queue, revoke, report }),
    revocationSignal: providerSignal,
  }
}
