import type { Json, JsonObject } from './json.ts'
import type { ProviderName } from './provider.ts'

/**
 * What platform teams own, as parsed from YAML (DESIGN section 6). One set of these is applied as a
 * whole, gets one version, and is immutable from then on.
 */
export type Resource =
  Issuer | Owner | Agent | Connection | ScopeTemplate | Guardrail | RoleBinding | Webhook

export type ResourceKind = Resource['kind']

interface Named<Kind extends string> {
  readonly kind: Kind
  readonly name: string
}

export type TokenClass = 'workload' | 'operator' | 'events'
export type ClaimType = 'string' | 'integer' | 'boolean' | 'strings'

/** A trusted OIDC issuer or SPIFFE trust domain. */
export interface Issuer extends Named<'Issuer'> {
  readonly type: 'oidc' | 'spiffe'
  /** Tokens of agents, of people, or about them: one class is refused on the other's routes. */
  readonly tokenClass: TokenClass
  /** Environments whose agents this issuer may vouch for. */
  readonly environments: readonly string[]
  /** OIDC: the exact `iss`. SPIFFE: unused. */
  readonly issuer?: string
  /** SPIFFE: the trust domain, without `spiffe://`. */
  readonly trustDomain?: string
  readonly audience: string
  readonly algorithms: readonly string[]
  readonly keys: KeySource
  readonly maxTokenAgeSeconds: number
  /** Claims that policies may read, with their types. Others never reach a policy. */
  readonly claims: Readonly<Record<string, ClaimType>>
  /** Claims that every accepted token must carry with exactly this value. */
  readonly requiredClaims: Readonly<Record<string, string>>
}

export type KeySource =
  | { readonly from: 'discovery' }
  | { readonly from: 'url'; readonly url: string }
  | { readonly from: 'file'; readonly path: string }

/** A person who answers for agents and templates. Issuing stops when inactive (R12). */
export interface Owner extends Named<'Owner'> {
  readonly active: boolean
}

/** A registered non-human identity, its owner, and which tokens are it. */
export interface Agent extends Named<'Agent'> {
  readonly agentKind: string
  readonly owner: string
  readonly team: string
  readonly environment: string
  readonly quarantined: boolean
  /** A token is this agent when one of these matches. Patterns are anchored. */
  readonly identities: readonly AgentIdentity[]
}

export interface AgentIdentity {
  readonly issuer: string
  /** Anchored regular expression over `sub`. */
  readonly subject?: string
  /** Anchored regular expressions over claims. */
  readonly claims: Readonly<Record<string, string>>
}

/** A provider instance. Secrets are `env:NAME` or `file:/path` references, never values. */
export interface Connection extends Named<'Connection'> {
  readonly provider: ProviderName
  readonly environment: string
  /** Parsed by the provider adapter itself. */
  readonly settings: JsonObject
}

export interface ScopeTemplate extends Named<'ScopeTemplate'> {
  readonly owner: string
  readonly reviewBy: Date
  readonly environment: string
  readonly risk: 'low' | 'medium' | 'high'
  readonly provider: ProviderName
  readonly connection: string
  readonly parameters: Readonly<Record<string, ParameterSchema>>
  /** Claims that a request's token must have before any policy is asked. */
  readonly claims: readonly string[]
  readonly actions: Readonly<Record<string, TemplateAction>>
  readonly resource: { readonly type: string; readonly id: string }
  /** Provider document shared by all actions; `{{parameter}}` placeholders. */
  readonly fragment: JsonObject
  readonly ttl: { readonly defaultSeconds: number; readonly maxSeconds: number }
  readonly limits: TemplateLimits
  /** Cedar text. */
  readonly policy: string
  /** CI events that run untrusted code and may use writing actions all the same (R7). */
  readonly events?: readonly string[]
  /** Accepts GitHub permissions that reach beyond a repository's contents (R70). */
  readonly allowHighRisk?: boolean
  readonly tests: readonly TemplateTest[]
}

export interface TemplateAction {
  /** Merged with the other requested actions' fragments, and only theirs. */
  readonly fragment: JsonObject
  readonly maxTtlSeconds?: number
}

export interface TemplateLimits {
  readonly liveLeasesPerTask?: number
  readonly mintsPerHour?: number
}

export type ParameterSchema =
  | ({ readonly type: 'string'; readonly pattern: string } & TextLimits)
  | { readonly type: 'string'; readonly enum: readonly string[] }
  | { readonly type: 'integer'; readonly minimum: number; readonly maximum: number }
  | { readonly type: 'boolean' }
  /** Bound from the verified token: the caller cannot choose it. */
  | ({ readonly type: 'claim'; readonly fromClaim: string; readonly pattern?: string } & TextLimits)

/** What a text parameter may hold besides matching its pattern. */
export interface TextLimits {
  readonly maxLength?: number
  /** Characters with a meaning to some provider (`*`, `+`, a space) that this parameter may hold. */
  readonly allow?: string
  /** Lets letters beyond ASCII in, look-alikes with them. */
  readonly unicode?: boolean
  /** The spelling to bring the value into before it is compared with anything (R44). */
  readonly format?: 'repository' | 'ref' | 'hostname'
}

export interface TemplateTest {
  readonly name: string
  readonly subject: {
    readonly agent?: string
    readonly issuer: string
    readonly claims: JsonObject
  }
  readonly request: {
    readonly actions: readonly string[]
    readonly parameters: JsonObject
    readonly ttlSeconds?: number
  }
  readonly expect: 'allow' | 'deny'
  /** When given, the denial must have this code. */
  readonly code?: string
}

/** An organisation-wide Cedar policy that no template can override. */
export interface Guardrail extends Named<'Guardrail'> {
  readonly owner: string
  readonly policy: string
}

export type OperatorRole = 'platform' | 'approver' | 'responder' | 'auditor'

/** Which people hold which operator role. */
export interface RoleBinding extends Named<'RoleBinding'> {
  readonly role: OperatorRole
  readonly issuer: string
  /** Exact `sub` values. */
  readonly subjects: readonly string[]
}

/** Somebody who is told of audit events as they happen, by signed requests (Standard Webhooks). */
export interface Webhook extends Named<'Webhook'> {
  readonly url: string
  /** Types of audit events: `lease.revoked`, `lease.*` or `*`. */
  readonly events: readonly string[]
  /** An `env:NAME` or `file:/path` reference that the workers resolve. */
  readonly secret: string
}

/** A resource document as sent to the API: `{ apiVersion, kind, metadata, spec }`. */
export type ResourceDocument = Json
