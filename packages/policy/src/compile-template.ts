import { validate } from '@cedar-policy/cedar-wasm/nodejs'
import {
  MayflyError,
  type ClaimType,
  type CompiledTemplate,
  type PolicyAnswer,
  type PolicyQuestion,
} from '@mayfly/core'

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
    policies: Object.fromEntries(policies.map(({ id, json }) => [id, json])),
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
  return errors.map(({ message, help }) => (help === null ? message : `${message} (${help})`))
}

const POLICY_ERROR = { allowed: false, code: 'policy_error', rule: null, reason: null } as const

function makeDecide(
  world: QuestionWorld,
  program: CedarProgram,
  policies: readonly NamedPolicy[],
): (question: PolicyQuestion) => PolicyAnswer {
  return (question) => {
    let answer
    try {
      answer = evaluateCedar(program, toCedarCall(world, question))
    } catch (error) {
      if (error instanceof MayflyError || error instanceof Error) return POLICY_ERROR
      throw error
    }
    if (answer.type === 'failure') return POLICY_ERROR
    const { decision, diagnostics } = answer.response
    // Cedar skips a forbid that fails to evaluate, and may then say allow.
    if (diagnostics.errors.length > 0) return POLICY_ERROR
    if (decision === 'allow') return { allowed: true, policies: diagnostics.reason }
    const rule = policies.find(({ id }) => diagnostics.reason.includes(id))
    return { allowed: false, code: 'denied', rule: rule?.id ?? null, reason: rule?.reason ?? null }
  }
}
