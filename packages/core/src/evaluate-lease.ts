import { attenuate } from './attenuate.ts'
import type { LeaseRequest } from './decision.ts'
import { assertActions, templateNamed } from './declare.ts'
import { MayflyError, type ErrorCode } from './errors.ts'
import type { JsonObject } from './json.ts'
import type { CompiledTemplate, PolicySet } from './policy-set.ts'
import { renderScope } from './render-scope.ts'
import type { Agent } from './resources.ts'
import type { Task } from './task.ts'
import type { ParameterValues } from './template.ts'
import { grantTtl } from './ttl.ts'

export interface LeaseQuestion {
  readonly policySet: PolicySet
  readonly task: Task
  readonly request: LeaseRequest
  readonly now: Date
  /** No lease is longer than this, whatever a template says (R20). */
  readonly ceilingSeconds: number
}

export type Evaluation = Passed | Failed

interface Passed {
  readonly passed: true
  readonly parameters: ParameterValues
  readonly policies: readonly string[]
  readonly ttlSeconds: number
  readonly scope: JsonObject
}

interface Failed {
  readonly passed: false
  readonly code: ErrorCode
  readonly message: string
  readonly rule: string | null
}

/**
 * Asks every question that stands between a request and a credential, the cheap and telling ones
 * first, and answers with the first that fails. Has no effect and no memory.
 */
export function evaluateLease(question: LeaseQuestion): Evaluation {
  try {
    return evaluate(question)
  } catch (error) {
    if (!(error instanceof MayflyError)) throw error
    return { passed: false, code: error.code, message: error.message, rule: null }
  }
}

function evaluate(question: LeaseQuestion): Evaluation {
  const { policySet, task, request, now, ceilingSeconds } = question
  const compiled = templateNamed(policySet, request.template)
  const { template } = compiled
  assertActions(compiled, request.actions)
  const agent = agentOf(policySet, task)
  assertOwnersActive(policySet, [agent.owner, task.owner, template.owner])

  const parameters = compiled.bind(request.parameters, task.claims)
  const asked = { template: template.name, actions: request.actions, parameters }
  const { actions: declared } = attenuate(task.declarations, asked)
  const ttlSeconds = grantTtl({
    template,
    actions: request.actions,
    ttlSeconds: request.ttlSeconds,
    remainingSeconds: (task.notAfter.getTime() - now.getTime()) / 1000,
    ceilingSeconds,
  })
  const answer = askPolicy(question, { compiled, agent, parameters, declared, ttlSeconds })
  if (!answer.passed) return answer
  const scope = renderScope(template, request.actions, parameters)
  return { passed: true, parameters, policies: answer.policies, ttlSeconds, scope }
}

interface Facts {
  readonly compiled: CompiledTemplate
  readonly agent: Agent
  readonly parameters: ParameterValues
  readonly declared: readonly string[]
  readonly ttlSeconds: number
}

/** Every action must be allowed by itself; the first refusal is the answer. */
function askPolicy(
  { task, request, now }: LeaseQuestion,
  { compiled, ...facts }: Facts,
): Failed | { readonly passed: true; readonly policies: readonly string[] } {
  const policies = new Set<string>()
  for (const action of request.actions) {
    const answer = compiled.decide({
      ...facts,
      action,
      now,
      ownerActive: true,
      issuer: task.issuer,
      claims: task.claims,
      taskId: task.id,
    })
    if (!answer.allowed) {
      const { code, rule, reason } = answer
      return { passed: false, code, rule, message: reason ?? plainWords(code, rule, action) }
    }
    for (const policy of answer.policies) policies.add(policy)
  }
  return { passed: true, policies: [...policies] }
}

function plainWords(code: 'denied' | 'policy_error', rule: string | null, action: string): string {
  if (code === 'policy_error') return `the policies could not be evaluated for ${action}`
  return rule === null ? `no policy permits ${action} here` : `${action} is forbidden by ${rule}`
}

/** The registration can change while a task goes on: it is looked up for every lease. */
function agentOf(policySet: PolicySet, task: Task): Agent {
  const agent = policySet.agents.find(({ name }) => name === task.agent)
  if (agent?.identities.some(({ issuer }) => issuer === task.issuer)) return agent
  throw new MayflyError('agent_unregistered', 'no agent is registered for this task')
}

function assertOwnersActive(policySet: PolicySet, owners: readonly string[]): void {
  if (owners.every((owner) => policySet.owners.get(owner)?.active === true)) return
  throw new MayflyError('owner_inactive', 'somebody who answers for this request is inactive')
}
