import {
  decideLease,
  declare,
  makeCloseTask,
  makeEndLease,
  makeIssueLease,
  makeOpenTask,
  makeReceiveSecurityEvent,
  makeReportLeak,
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
  type ReceiveSecurityEvent,
  type Report,
  type ReportLeak,
  type RevocationQueue,
  type RevokeLease,
  type Task,
} from '@mayfly/core'
import { inSpan } from '@mayfly/runtime'
import type { Store } from '@mayfly/store'

import type { BrokerConfig } from './config.ts'
import { makeContaining, type Containing } from './containing.ts'
import { meteredIssuing } from './metered-issuing.ts'
import type { BrokerMetrics } from './metrics.ts'

export interface UseCasesDeps {
  readonly config: BrokerConfig
  readonly store: Pick<
    Store,
    'leases' | 'tasks' | 'audit' | 'history' | 'containments' | 'freezes' | 'securityEvents'
  >
  readonly policies: PolicySource
  readonly providers: Providers
  readonly queue: RevocationQueue
  readonly metrics: BrokerMetrics
  readonly clock: Clock
  readonly newId: NewId
  readonly report: Report
}

export interface UseCases extends Containing {
  readonly openTask: OpenTask
  readonly closeTask: CloseTask
  readonly issueLease: IssueLease
  readonly endLease: EndLease
  readonly reportLeak: ReportLeak
  readonly receiveSecurityEvent: ReceiveSecurityEvent
  /** Bounds one attempt at a revocation. */
  readonly revocationSignal: () => AbortSignal
}

/** The use cases of the core with their times chosen, which depend on each other. */
export function makeUseCases(deps: UseCasesDeps): UseCases {
  const { config, store, policies, providers, queue, clock, newId, report } = deps
  const { times } = config
  const providerSignal = (): AbortSignal => AbortSignal.timeout(config.providerTimeoutMs)

  const revokeLease = makeRevokeLease({
    leases: store.leases,
    providers,
    clock,
    retry: { baseSeconds: 2, capSeconds: times.retryCapSeconds, random: Math.random },
    visibilitySeconds: times.visibilitySeconds,
  })
  const revoke: RevokeLease = (leaseId, signal) =>
    inSpan({ name: 'lease.revoke', linkedLease: leaseId }, () => revokeLease(leaseId, signal))
  const endLease = makeEndLease({ leases: store.leases, queue, revoke, report })
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
    mintDeadlineSeconds: times.mintDeadlineSeconds,
    deliveryDeadlineSeconds: times.deliveryDeadlineSeconds,
  }

  const containing = makeContaining({ containments: store.containments, newId, report })
  const { freezes, securityEvents: events } = store
  const { contain } = containing

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
    endLease,
    ...containing,
    reportLeak: makeReportLeak({ ...store, endLease, report }),
    receiveSecurityEvent: makeReceiveSecurityEvent({
      ...{ events, freezes, contain, policies, clock, newId },
    }),
    revocationSignal: providerSignal,
  }
}
