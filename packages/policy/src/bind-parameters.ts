import { domainToASCII } from 'node:url'

import {
  MayflyError,
  type Json,
  type ParameterSchema,
  type ParameterValue,
  type ParameterValues,
  type ScopeTemplate,
  type TextLimits,
} from '@mayfly/core'

import { compilePattern } from './text-pattern.ts'
import { textProblem } from './text-problem.ts'

type Values = Readonly<Record<string, Json>>

export type BindParameters = (
  parameters: Values,
  claims: Values,
  options?: { readonly partial?: boolean },
) => ParameterValues

type Read = (value: Json) => ParameterValue

/** Compiles a template's parameters; see `CompiledTemplate.bind`. */
export function makeBindParameters(
  template: Pick<ScopeTemplate, 'name' | 'parameters' | 'claims'>,
): BindParameters {
  const parameters = Object.entries(template.parameters).map(([name, schema]) => ({
    name,
    claim: schema.type === 'claim' ? schema.fromClaim : null,
    read: makeRead(name, schema),
  }))
  const chosen = new Set(parameters.filter(({ claim }) => claim === null).map(({ name }) => name))
  const claimsNeeded = requiredClaims(template)

  return (given, claims, { partial = false } = {}) => {
    for (const name of Object.keys(given)) {
      if (!chosen.has(name)) throw invalid(name, `is not a parameter of ${template.name}`)
    }
    const missing = claimsNeeded.find((claim) => !Object.hasOwn(claims, claim))
    if (missing !== undefined) {
      throw new MayflyError('claim_missing', `the workload token has no claim ${missing}`)
    }
    const bound: [string, ParameterValue][] = []
    for (const { name, claim, read } of parameters) {
      const value = claim === null ? own(given, name) : own(claims, claim)
      if (value !== undefined) bound.push([name, read(value)])
      else if (!partial) throw invalid(name, 'is missing')
    }
    return Object.fromEntries(bound)
  }
}

/** The claims without which no policy of the template is asked. */
export function requiredClaims({
  parameters,
  claims,
}: Pick<ScopeTemplate, 'parameters' | 'claims'>): readonly string[] {
  const bound = Object.values(parameters).flatMap((schema) =>
    schema.type === 'claim' ? [schema.fromClaim] : [],
  )
  return [...new Set([...claims, ...bound])]
}

function makeRead(name: string, schema: ParameterSchema): Read {
  if (schema.type === 'boolean') return (value) => assertBoolean(name, value)
  if (schema.type === 'integer') return (value) => assertInteger(name, value, schema)
  if ('enum' in schema) return (value) => assertListed(name, value, schema.enum)
  const readText = makeReadText(name, schema)
  if (schema.type === 'string') return readText
  return (value) => (typeof value === 'string' ? readText(value) : assertScalarClaim(name, value))
}

function makeReadText(name: string, limits: TextLimits & { readonly pattern?: string }): Read {
  const pattern = limits.pattern === undefined ? null : compilePattern(limits.pattern)
  if (pattern && !pattern.ok) throw new Error(`parameter ${name} has a pattern that never parsed`)
  return (value) => {
    if (typeof value !== 'string') throw invalid(name, 'must be text')
    const text = canonical(value.normalize('NFC'), limits.format)
    const problem = textProblem(text, limits)
    if (problem !== null) throw invalid(name, problem)
    if (pattern?.matches(text) === false) throw invalid(name, 'does not match its pattern')
    return text
  }
}

/** Brings what the provider takes for the same thing into one spelling, before anything compares. */
function canonical(text: string, format: TextLimits['format']): string {
  if (format === 'repository') return text.toLowerCase()
  if (format === 'hostname') return domainToASCII(text)
  if (format === 'ref' && !text.startsWith('refs/')) return `refs/heads/${text}`
  return text
}

function assertBoolean(name: string, value: Json): boolean {
  if (typeof value === 'boolean') return value
  throw invalid(name, 'must be true or false')
}

function assertInteger(
  name: string,
  value: Json,
  { minimum, maximum }: { readonly minimum: number; readonly maximum: number },
): number {
  const fits = typeof value === 'number' && Number.isSafeInteger(value)
  if (fits && value >= minimum && value <= maximum) return value
  throw invalid(name, `must be a whole number from ${String(minimum)} to ${String(maximum)}`)
}

function assertListed(name: string, value: Json, listed: readonly string[]): string {
  if (typeof value === 'string' && listed.includes(value)) return value
  throw invalid(name, `must be one of ${listed.join(', ')}`)
}

function assertScalarClaim(name: string, value: Json): ParameterValue {
  if (typeof value === 'boolean') return value
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value
  throw invalid(name, 'is bound from a claim that is not one value')
}

function own(values: Values, name: string): Json | undefined {
  return Object.hasOwn(values, name) ? values[name] : undefined
}

/** The value itself is not repeated: it may be anything, and ends up in logs and terminals. */
function invalid(name: string, problem: string): MayflyError {
  return new MayflyError('parameter_invalid', `parameter ${name} ${problem}`, {
    details: { parameter: name },
  })
}
