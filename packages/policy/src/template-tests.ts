import {
  decideLease,
  type Agent,
  type Decision,
  type PolicySet,
  type ScopeTemplate,
  type Task,
  type TemplateTest,
} from '@mayfly/core'

import type { ResourceProblem } from './problem.ts'

const DAY_MS = 86_400_000

/**
 * Runs the tests of all templates through the decision that real requests get (R46, R47).
 *
 * A test is about what the template means. It is asked the day before the template's review, with
 * active owners and an agent that is not quarantined, so that neither the calendar nor somebody's
 * leave stands between an organisation and its next policy set.
 */
export function templateTestProblems(policySet: PolicySet): readonly ResourceProblem[] {
  const owners = new Map(
    [...policySet.owners].map(([name, owner]) => [name, { ...owner, active: true }]),
  )
  return [...policySet.templates.values()].flatMap(({ template }) =>
    template.tests.flatMap((test, index) => {
      const failure = failureOf(test, decide({ ...policySet, owners }, template, test))
      if (failure === null) return []
      const path = `spec.tests.${String(index)}`
      return [
        { resource: `ScopeTemplate/${template.name}`, path, message: `"${test.name}": ${failure}` },
      ]
    }),
  )
}

function decide(policySet: PolicySet, template: ScopeTemplate, test: TemplateTest): Decision {
  const agent = agentOf(policySet, template, test)
  const now = new Date(template.reviewBy.getTime() - DAY_MS)
  const declared = { template: template.name, actions: test.request.actions, parameters: {} }
  return decideLease({
    policySet: { ...policySet, agents: [agent] },
    task: { ...taskOf(agent, test, now), declarations: [declared] },
    request: { ...test.request, template: template.name },
    now,
    newId: (prefix) => `${prefix}_test`,
    ceilingSeconds: template.ttl.maxSeconds,
  })
}

/** The named agent, or one that fits the template, recognised by exactly the test's claims. */
function agentOf(policySet: PolicySet, template: ScopeTemplate, test: TemplateTest): Agent {
  const { subject } = test
  const named = policySet.agents.find(({ name }) => name === subject.agent)
  if (named) return { ...named, quarantined: false }
  const claims = Object.entries(subject.claims).map(([name, value]): [string, string] => [
    name,
    typeof value === 'string' ? value : JSON.stringify(value),
  ])
  return {
    kind: 'Agent',
    name: 'test-agent',
    owner: template.owner,
    agentKind: 'test',
    team: 'test',
    environment: template.environment,
    quarantined: false,
    identities: [{ issuer: subject.issuer, claims: Object.fromEntries(claims) }],
  }
}

function taskOf(agent: Agent, { subject }: TemplateTest, now: Date): Task {
  return {
    id: 'tsk_test',
    agent: agent.name,
    owner: agent.owner,
    environment: agent.environment,
    issuer: subject.issuer,
    subject: 'test',
    claims: subject.claims,
    intent: { reason: 'test' },
    declarations: [],
    openedAt: now,
    notAfter: new Date(now.getTime() + DAY_MS),
    closedAt: null,
  }
}

function failureOf(test: TemplateTest, decision: Decision): string | null {
  const outcome = decision.allowed ? 'allow' : 'deny'
  if (outcome !== test.expect) {
    const why = decision.allowed
      ? ''
      : ` (${decision.explanation.code}: ${decision.explanation.message})`
    return `expected ${test.expect}, got ${outcome}${why}`
  }
  if (decision.allowed || test.code === undefined || decision.explanation.code === test.code) {
    return null
  }
  return `expected the code ${test.code}, got ${decision.explanation.code}`
}
