import type { Json } from './json.ts'
import type {
  Agent,
  Connection,
  Issuer,
  Owner,
  Resource,
  RoleBinding,
  ScopeTemplate,
} from './resources.ts'
import type { ParameterValue } from './template.ts'

/** One applied, validated and compiled set of resources. Immutable; replaced as a whole. */
export interface PolicySet {
  readonly version: number
  /** Hex SHA-256 of the canonical resources. */
  readonly digest: string
  readonly resources: readonly Resource[]
  readonly issuers: readonly Issuer[]
  readonly agents: readonly Agent[]
  readonly owners: ReadonlyMap<string, Owner>
  readonly connections: ReadonlyMap<string, Connection>
  readonly roleBindings: readonly RoleBinding[]
  readonly templates: ReadonlyMap<string, CompiledTemplate>
}

export interface CompiledTemplate {
  readonly template: ScopeTemplate
  /** The set version in which this template last changed. */
  readonly version: number

  /**
   * Validates, canonicalises and completes the caller's parameters. Throws `parameter_invalid` or
   * `claim_missing`. With `partial`, parameters that are absent stay absent (task declarations).
   */
  bind(
    parameters: Readonly<Record<string, Json>>,
    claims: Readonly<Record<string, Json>>,
    options?: { readonly partial?: boolean },
  ): Readonly<Record<string, ParameterValue>>

  /** Guardrails first, then the template's own policies. Never throws: an error is a denial. */
  decide(question: PolicyQuestion): PolicyAnswer
}

/** One action on one resource, with facts that the broker computed itself (R45). */
export interface PolicyQuestion {
  readonly agent: Agent
  readonly ownerActive: boolean
  readonly issuer: string
  readonly claims: Readonly<Record<string, Json>>
  readonly action: string
  readonly parameters: Readonly<Record<string, ParameterValue>>
  readonly declared: readonly string[]
  readonly taskId: string
  readonly ttlSeconds: number
  readonly now: Date
}

export type PolicyAnswer =
  | { readonly allowed: true; readonly policies: readonly string[] }
  | {
      readonly allowed: false
      readonly code: 'denied' | 'policy_error'
      /** `@id` of the forbid that matched; `null` when nothing permitted. */
      readonly rule: string | null
      /** The rule's `@reason`, written by the platform team for the caller. */
      readonly reason: string | null
    }

/** What is in force now. Throws `policy_unavailable` when there is no valid set. */
export interface PolicySource {
  current(): PolicySet
}
