import {
  MayflyError,
  type CredentialProvider,
  type Lease,
  type LeaseIntent,
  type makeIssueLease,
} from '@mayfly/core'
import { inSpan, inSpanSync, markLease } from '@mayfly/runtime'

import type { BrokerMetrics, MintStage } from './metrics.ts'

type IssueLeaseDeps = Parameters<typeof makeIssueLease>[0]

/** The same dependencies, each timed and traced where issuing a lease spends its time, and outcomes counted. */
export function meteredIssuing(deps: IssueLeaseDeps, metrics: BrokerMetrics): IssueLeaseDeps {
  return {
    ...deps,
    decide(question) {
      const startedAt = performance.now()
      const decision = inSpanSync({ name: 'lease.decide' }, () => deps.decide(question))
      metrics.mintStage({ stage: 'decide' }, secondsSince(startedAt))
      if (!decision.allowed) {
        const known = question.policySet.templates.has(decision.template)
        // Callers choose the name of a template that does not exist; a label must not follow them.
        const template = known ? decision.template : 'unknown'
        metrics.decision({ template, code: decision.explanation.code })
      }
      return decision
    },
    leases: { ...deps.leases, ...meteredLeases(deps, metrics) },
    providers: meteredProviders(deps, metrics),
    audit: {
      refuse: (decision, task) =>
        observed(deps.audit.refuse(decision, task), (code) => {
          if (code !== 'ok') metrics.lostAudit({ event: 'decision.denied' })
        }),
    },
    queue: {
      schedule: (leaseId, at) =>
        observed(deps.queue.schedule(leaseId, at), (code) => {
          if (code !== 'ok') metrics.unscheduled()
        }),
    },
  }
}

/** What policy allows can still be refused where the lease is opened: frozen, or over a limit. */
function meteredLeases(
  { leases }: IssueLeaseDeps,
  metrics: BrokerMetrics,
): Pick<IssueLeaseDeps['leases'], 'open' | 'activate'> {
  return {
    open: (intent) =>
      observed(
        timed(metrics, 'store', () => opened(leases, intent)),
        (result) => {
          const code = result === 'ok' ? 'allowed' : result
          metrics.decision({ template: intent.decision.template, code })
        },
      ),
    activate: (activation) =>
      observed(
        timed(metrics, 'activate', () => leases.activate(activation)),
        (result) => {
          metrics.mint({ provider: activation.lease.provider, result })
        },
      ),
  }
}

async function opened(leases: IssueLeaseDeps['leases'], intent: LeaseIntent): Promise<Lease> {
  const lease = await leases.open(intent)
  markLease(lease.id, 'lease.opened')
  return lease
}

function meteredProviders(
  { providers }: IssueLeaseDeps,
  metrics: BrokerMetrics,
): IssueLeaseDeps['providers'] {
  const metered = (provider: CredentialProvider): CredentialProvider => ({
    ...provider,
    prepare(scope) {
      const prepared = provider.prepare(scope)
      return {
        ...prepared,
        mint: (request, signal) =>
          observed(
            timed(metrics, 'provider', () => prepared.mint(request, signal)),
            (result) => {
              // One that came back is counted once it is active.
              if (result !== 'ok') metrics.mint({ provider: provider.name, result })
            },
          ),
      }
    },
  })
  return { get: async (connection, version) => metered(await providers.get(connection, version)) }
}

function secondsSince(startedAt: number): number {
  return (performance.now() - startedAt) / 1000
}

async function timed<Result>(
  metrics: BrokerMetrics,
  stage: MintStage,
  work: () => Promise<Result>,
): Promise<Result> {
  const startedAt = performance.now()
  try {
    return await inSpan({ name: `lease.${stage}` }, work)
  } finally {
    metrics.mintStage({ stage }, secondsSince(startedAt))
  }
}

/** Tells how it went: `ok`, or the code of the error. */
async function observed<Result>(
  work: Promise<Result>,
  tell: (result: string) => void,
): Promise<Result> {
  try {
    const result = await work
    tell('ok')
    return result
  } catch (error) {
    tell(error instanceof MayflyError ? error.code : 'internal')
    throw error
  }
}
