import type { Decision } from './decision.ts'
import { evaluateLease, type LeaseQuestion } from './evaluate-lease.ts'
import { nearestRequest } from './nearest-request.ts'
import type { NewId } from './new-id.ts'

export interface DecideLeaseInput extends LeaseQuestion {
  readonly newId: NewId
}

/**
 * Decides one lease request: template, actions, registration and owners, parameters, declaration,
 * TTL, policies, scope. Never throws for a refusal: every answer is a decision to be recorded.
 */
export function decideLease({ newId, ...question }: DecideLeaseInput): Decision {
  const { policySet, task, request } = question
  const evaluation = evaluateLease(question)
  const compiled = policySet.templates.get(request.template)
  const decided = {
    id: newId('dec'),
    taskId: task.id,
    template: request.template,
    policySetVersion: policySet.version,
    policyDigest: policySet.digest,
    actions: [...request.actions],
  }
  if (evaluation.passed && compiled) {
    const { parameters, policies, ttlSeconds, scope } = evaluation
    return {
      ...decided,
      allowed: true,
      templateVersion: compiled.version,
      parameters,
      policies,
      ttlSeconds,
      scope,
    }
  }
  if (evaluation.passed) throw new Error('a request for an unknown template was allowed')
  const { code, message, rule } = evaluation
  return {
    ...decided,
    allowed: false,
    templateVersion: compiled?.version ?? null,
    parameters: request.parameters,
    explanation: { code, message, rule, nearest: nearestRequest(question) },
  }
}
