import {
  MayflyError,
  type Agent,
  type AgentIdentity,
  type ErrorCode,
  type PolicySet,
  type VerifiedToken,
  type Workload,
} from '@mayfly/core'
import { RE2JS } from 're2js'

import { IdentityRefusal, type RefusalReason } from './identity-refusal.ts'

export type MatchAgent = (token: VerifiedToken, policySet: PolicySet) => Workload

type Matches = (token: VerifiedToken) => boolean

interface Candidate {
  readonly agent: Agent
  readonly matches: Matches
}

/**
 * Finds the one registered agent that a verified workload token is (R11). Throws
 * `agent_unregistered`, `owner_inactive` (R12) or `denied` (quarantined), all with the same message.
 */
export function makeAgentMatcher(): MatchAgent {
  const candidatesOf = makeCandidates()
  return (token, policySet) => {
    const candidates = candidatesOf(policySet).get(token.issuer) ?? []
    const agents = new Set(candidates.filter(({ matches }) => matches(token)).map((c) => c.agent))
    const [agent] = agents
    if (!agent) throw refused('agent_unregistered', 'agent_unknown')
    // Which of them is it? Whatever we chose could be the one with more rights.
    if (agents.size > 1) throw refused('agent_unregistered', 'agent_ambiguous', agent)
    if (!isVouchedFor(agent, token, policySet)) {
      throw refused('agent_unregistered', 'environment_not_vouched', agent)
    }
    if (agent.quarantined) throw refused('denied', 'agent_quarantined', agent)
    if (policySet.owners.get(agent.owner)?.active !== true) {
      throw refused('owner_inactive', 'owner_inactive', agent)
    }
    return { token, agent }
  }
}

/** A development issuer must not be able to make production's agents (R23). */
function isVouchedFor(agent: Agent, token: VerifiedToken, policySet: PolicySet): boolean {
  const issuer = policySet.issuers.find(({ name }) => name === token.issuer)
  return issuer?.tokenClass === 'workload' && issuer.environments.includes(agent.environment)
}

function refused(code: ErrorCode, reason: RefusalReason, agent?: Agent): MayflyError {
  return new MayflyError(code, 'this caller may not do this', {
    cause: new IdentityRefusal(reason, agent?.name),
  })
}

/** Compiles each policy set's patterns once, by issuer. Sets are immutable, and forgotten when unused. */
function makeCandidates(): (policySet: PolicySet) => ReadonlyMap<string, readonly Candidate[]> {
  const compiled = new WeakMap<PolicySet, ReadonlyMap<string, readonly Candidate[]>>()
  return (policySet) => {
    const known = compiled.get(policySet)
    if (known) return known
    const byIssuer = new Map<string, Candidate[]>()
    for (const agent of policySet.agents) {
      for (const identity of agent.identities) {
        const candidates = byIssuer.get(identity.issuer) ?? []
        byIssuer.set(identity.issuer, [...candidates, { agent, matches: compile(identity) }])
      }
    }
    compiled.set(policySet, byIssuer)
    return byIssuer
  }
}

/** Every condition must hold, and an identity without conditions is nobody's. */
function compile(identity: AgentIdentity): Matches {
  const conditions: Matches[] = Object.entries(identity.claims).map(([name, pattern]) => {
    const matches = anchored(pattern)
    return ({ claims }) => Object.hasOwn(claims, name) && matches(claims[name])
  })
  if (identity.subject !== undefined) {
    const matches = anchored(identity.subject)
    conditions.push(({ subject }) => matches(subject))
  }
  return (token) => conditions.length > 0 && conditions.every((holds) => holds(token))
}

/** Lists and objects match nothing: a pattern is about one value. RE2 keeps the time linear. */
function anchored(pattern: string): (value: unknown) => boolean {
  const expression = RE2JS.compile(pattern)
  return (value) =>
    (typeof value === 'string' && expression.matches(value)) ||
    ((typeof value === 'number' || typeof value === 'boolean') && expression.matches(String(value)))
}
