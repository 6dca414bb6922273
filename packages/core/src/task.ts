import type { Json } from './json.ts'
import type { ParameterValue } from './template.ts'

/** Why an agent acts: what it declared at the start is all that it may ask for (R16, R17). */
export interface Task {
  readonly id: string
  readonly agent: string
  readonly owner: string
  readonly environment: string
  readonly issuer: string
  readonly subject: string
  /** The token's policy-readable claims at opening or at the last renewal. */
  readonly claims: Readonly<Record<string, Json>>
  readonly intent: Intent
  readonly declarations: readonly Declaration[]
  readonly openedAt: Date
  readonly notAfter: Date
  readonly closedAt: Date | null
}

/** Data for people and audit. Never an input that can turn a denial into an allow (R22). */
export interface Intent {
  readonly reason: string
  readonly ticket?: string
}

/** One thing that the task may ask for. Parameters that it leaves out stay open within the template. */
export interface Declaration {
  readonly template: string
  readonly actions: readonly string[]
  readonly parameters: Readonly<Record<string, ParameterValue>>
}
