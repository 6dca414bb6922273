import {
  policySetTextToParts,
  policyToJson,
  type PolicyJson,
} from '@cedar-policy/cedar-wasm/nodejs'

import { BUILTIN_PREFIX } from './builtin-guardrails.ts'

export interface NamedPolicy {
  readonly id: string
  readonly effect: PolicyJson['effect']
  /** Kept as text: in JSON, Cedar's 64-bit integers would become other numbers. */
  readonly text: string
  /** `@reason`, written for the caller who is refused. */
  readonly reason: string | null
}

export interface ReadPolicies {
  readonly policies: readonly NamedPolicy[]
  readonly problems: readonly string[]
}

const ID = /^[a-z0-9][a-z0-9:._-]{0,126}$/

/**
 * Splits Cedar text into policies by their `@id`. Cedar itself ignores the annotation and counts
 * (`policy0`, `policy1`), which would make every recorded reason meaningless.
 */
export function readPolicies(text: string): ReadPolicies {
  const parts = policySetTextToParts(text)
  if (parts.type === 'failure') {
    return { policies: [], problems: parts.errors.map(({ message }) => message) }
  }
  const problems = parts.policy_templates.length > 0 ? ['Cedar templates are not supported'] : []
  const policies: NamedPolicy[] = []
  for (const part of parts.policies) {
    const read = policyToJson(part)
    if (read.type === 'failure') problems.push(...read.errors.map(({ message }) => message))
    else if (ID.test(idOf(read.json))) policies.push(named(part, read.json))
    else problems.push('every policy needs an @id of lower-case letters, digits and : . _ -')
  }
  return { policies, problems }
}

/** Ids that stand for two policies, or that only Mayfly may use. */
export function idProblems(ids: readonly string[], taken: ReadonlySet<string>): readonly string[] {
  const repeated = ids.filter((id, index) => taken.has(id) || ids.indexOf(id) !== index)
  const reserved = ids.filter((id) => id.startsWith(BUILTIN_PREFIX))
  return [
    ...[...new Set(repeated)].map((id) => `the @id ${id} is used twice`),
    ...reserved.map((id) => `the @id ${id} begins with ${BUILTIN_PREFIX}, which is reserved`),
  ]
}

function named(text: string, json: PolicyJson): NamedPolicy {
  const reason = json.annotations?.['reason'] ?? null
  return { id: idOf(json), effect: json.effect, text, reason }
}

function idOf(json: PolicyJson): string {
  return json.annotations?.['id'] ?? ''
}
