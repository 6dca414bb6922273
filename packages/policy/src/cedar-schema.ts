import type { ClaimType, Issuer, ParameterSchema, ScopeTemplate } from '@mayfly/core'
import type { SchemaJson, TypeOfAttribute } from '@cedar-policy/cedar-wasm/nodejs'

import { ACTION_RESOURCES, RESOURCE_TYPES } from './action-resources.ts'
import { requiredClaims } from './bind-parameters.ts'

type Attributes = Record<string, TypeOfAttribute<string>>

const TEXT = { type: 'String' } as const
const LONG = { type: 'Long' } as const
const BOOL = { type: 'Boolean' } as const
const TEXTS = { type: 'Set', element: TEXT } as const
const DATETIME = { type: 'Extension', name: 'datetime' } as const
const CLAIM_TYPES = { string: TEXT, integer: LONG, boolean: BOOL, strings: TEXTS } as const

/** What policies can speak of. Every set has these types, so that guardrails fit all templates. */
export interface Vocabulary {
  /** All claims that any issuer lists. */
  readonly claims: ReadonlyMap<string, ClaimType>
  readonly template: Pick<ScopeTemplate, 'parameters' | 'claims'>
}

/**
 * The Cedar schema of one template: its parameters with their types, the claims it requires, and
 * the rest as optional attributes that policies must test for with `has`.
 */
export function cedarSchema({ claims, template }: Vocabulary): SchemaJson<string> {
  const required = new Set(requiredClaims(template))
  const claimAttributes = Object.fromEntries(
    [...claims].map(([name, type]) => [
      name,
      { ...CLAIM_TYPES[type], required: required.has(name) },
    ]),
  )
  const parameters = Object.fromEntries(
    Object.entries(template.parameters).map(([name, schema]) => [
      name,
      parameterType(schema, claims),
    ]),
  )
  const resources = Object.fromEntries(
    RESOURCE_TYPES.map((type) => [type, { shape: record({ env: TEXT }) }]),
  )
  return {
    Mayfly: {
      commonTypes: { Ctx: contextType(parameters) },
      entityTypes: {
        Owner: { shape: record({ active: BOOL }) },
        Agent: { shape: agentType(claimAttributes) },
        ...resources,
      },
      actions: Object.fromEntries(
        Object.entries(ACTION_RESOURCES).map(([action, resource]) => [
          action,
          {
            appliesTo: {
              principalTypes: ['Agent'],
              resourceTypes: [resource],
              context: { type: 'Ctx' },
            },
          },
        ]),
      ),
    },
  }
}

/** Claims of all issuers by name, and the names that two issuers give different types. */
export function claimTypes(issuers: readonly Issuer[]): {
  readonly claims: ReadonlyMap<string, ClaimType>
  readonly conflicts: readonly { readonly issuer: Issuer; readonly claim: string }[]
} {
  const claims = new Map<string, ClaimType>()
  const conflicts: { issuer: Issuer; claim: string }[] = []
  for (const issuer of issuers) {
    for (const [claim, type] of Object.entries(issuer.claims)) {
      const known = claims.get(claim)
      if (known !== undefined && known !== type) conflicts.push({ issuer, claim })
      claims.set(claim, known ?? type)
    }
  }
  return { claims, conflicts }
}

function agentType(claims: Attributes) {
  return record({
    name: TEXT,
    owner: { type: 'Entity', name: 'Owner' },
    kind: TEXT,
    team: TEXT,
    env: TEXT,
    quarantined: BOOL,
    immutable: BOOL,
    issuer: TEXT,
    issuerEnvs: TEXTS,
    claims: record(claims),
  })
}

function contextType(parameters: Attributes) {
  return record({
    now: DATETIME,
    taskId: TEXT,
    ttl: LONG,
    declared: TEXTS,
    params: record(parameters),
    template: record({
      name: TEXT,
      owner: TEXT,
      risk: TEXT,
      reviewBy: DATETIME,
      env: TEXT,
      events: TEXTS,
    }),
  })
}

function parameterType(
  schema: ParameterSchema,
  claims: Vocabulary['claims'],
): TypeOfAttribute<string> {
  if (schema.type === 'claim') return CLAIM_TYPES[claims.get(schema.fromClaim) ?? 'string']
  if (schema.type === 'integer') return LONG
  return schema.type === 'boolean' ? BOOL : TEXT
}

function record(attributes: Attributes) {
  return { type: 'Record', attributes } as const
}
