import type { CredentialProvider, Decision, makeIssueLease, Providers } from '@mayfly/core'

import type { BrokerMetrics, MintStage } from './metrics.ts'

type IssueLeaseDeps = Parameters<typeof makeIssueLease>[0]

/** The same dependencies, each timed where issuing a lease spends its time, and decisions counted. */
export function meteredIssuing(deps: IssueLeaseDeps, metrics: BrokerMetrics): IssueLeaseDeps {
  const timed = async <Result>(stage: MintStage, work: () => Promise<Result>): Promise<Result> => {
    const startedAt = performance.now()
    try {
      return await work()
    } finally {
      metrics.mintStage({ stage }, (performance.now() - startedAt) / 1000)
    }
  }

  return {
    ...deps,
    decide(question) {
      const startedAt = performance.now()
      const decision = deps.decide(question)
      metrics.mintStage({ stage: 'decide' }, (performance.now() - startedAt) / 1000)
      const known = question.policySet.templates.has(decision.template)
      // Callers choose the name of a template that does not exist; a label must not follow them.
      metrics.decision({ template: known ? decision.template : 'unknown', code: codeOf(decision) })
      return decision
    },
    leases: {
      ...deps.leases,
      open: (intent) => timed('store', () => deps.leases.open(intent)),
      activate: (activation) => timed('activate', () => deps.leases.activate(activation)),
    },
    providers: meteredProviders(deps.providers, timed),
  }
}

function codeOf(decision: Decision): string {
  return decision.allowed ? 'allowed' : decision.explanation.code
}

type Timed = <Result>(stage: MintStage, work: () => Promise<Result>) => Promise<Result>

function meteredProviders(providers: Providers, timed: Timed): Providers {
  const metered = (provider: CredentialProvider): CredentialProvider => ({
    ...provider,
    prepare(scope) {
      const prepared = provider.prepare(scope)
      return {
        ...prepared,
        mint: (request, signal) => timed('provider', () => prepared.mint(request, signal)),
      }
    },
  })
  return { get: async (connection, version) => metered(await providers.get(connection, version)) }
}
