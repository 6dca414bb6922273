import { validate, type Response } from '@cedar-policy/cedar-wasm/nodejs'
import type { ClaimType, CompiledTemplate, PolicyAnswer, PolicyQuestion } from '@mayfly/core'

import { makeBindParameters } from './bind-parameters.ts'
import { idProblems, readPolicies, type NamedPolicy } from './cedar-policies.ts'
import { toCedarCall, type QuestionWorld } from './cedar-question.ts'
import { cedarSchema } from './cedar-schema.ts'
import { evaluateCedar, type CedarProgram } from './cedar-slots.ts'

export interface TemplateSource extends QuestionWorld {
  readonly version: number
  readonly claims: ReadonlyMap<string, ClaimType>
  /** Built-in first, then the organisation's, all of them forbids. */
  readonly guardrails: readonly NamedPolicy[]
}

export type CompiledOrNot =
  { readonly compiled: CompiledTemplate } | { readonly problems: readonly string[] }

/** Validates a template's policies together with the guardrails against the template's own schema. */
export function compileTemplate(source: TemplateSource): CompiledOrNot {
  const { template, guardrails } = source
  const own = readPolicies(template.policy)
  const taken = new Set(guardrails.map(({ id }) => id))
  const problems = [
    ...own.problems,
    ...idProblems(
      own.policies.map(({ id }) => id),
      taken,
    ),
  ]
  if (problems.length > 0) return { problems }

  const policies = [...guardrails, ...own.policies]
  const program: CedarProgram = {
    schema: cedarSchema(source),
    policies: Object.fromEntries(policies.map(({ id, text }) => [id, text])),
  }
  const invalid = validationProblems(program)
  if (invalid.length > 0) return { problems: invalid }
  return {
    compiled: {
      template,
      version: source.version,
      bind: makeBindParameters(template),
      decide: makeDecide(source, program, policies),
    },
  }
}

export function validationProblems({ schema, policies }: CedarProgram): readonly string[] {
  const answer = validate({ schema, policies: { staticPolicies: { ...policies } } })
  const errors =
    answer.type === 'failure' ? answer.errors : answer.validationErrors.map(({ error }) => error)
  const messages = errors.map(({ message, help }) =>
    help === null ? message : `${message} (${help})`,
  )
  // Cedar looks at a policy once for each action, and may find the same thing each time.
  return [...new Set(messages)]
}

const POLICY_ERROR = { allowed: false, code: 'policy_error', rule: null, reason: null } as const

function makeDecide(
  world: QuestionWorld,
  program: CedarProgram,
  policies: readonly NamedPolicy[],
): (question: PolicyQuestion) => PolicyAnswer {
  return (question) => {
    const response = ask(world, program, question)
    // Cedar skips a forbid that fails to evaluate, and may then say allow.
    if (response === null || response.diagnostics.errors.length > 0) return POLICY_ERROR
    const { reason: deciding } = response.diagnostics
    if (response.decision === 'allow') return { allowed: true, policies: deciding }
    const first = policies.find(({ id }) => deciding.includes(id))
    const { id: rule, reason } = first ?? { id: null, reason: null }
    return { allowed: false, code: 'denied', rule, reason }
  }
}

/** `null` when Cedar could not take the question: a claim of another type than its issuer lists. */
function ask(
  world: QuestionWorld,
  program: CedarProgram,
  question: PolicyQuestion,
): Response | null {
  try {
    const answer = evaluateCedar(program, toCedarCall(world, question))
    return answer.type === 'success' ? answer.response : null
  } catch {
    // The wasm boundary throws on values that no schema can describe. No answer is a denial.
    return null
  }
}
