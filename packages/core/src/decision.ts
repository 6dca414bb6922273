import { MayflyError, type ErrorCode } from './errors.ts'
import type { Json, JsonObject } from './json.ts'
import type { ParameterValue } from './template.ts'

/** What a task asks for now. Parameters are the caller's, not yet validated. */
export interface LeaseRequest {
  readonly template: string
  readonly actions: readonly string[]
  readonly parameters: Readonly<Record<string, Json>>
  readonly ttlSeconds?: number
  readonly reason?: string
}

/** The answer to one lease request, recorded whether it is yes or no. */
export type Decision = Allowed | Denied

interface Decided {
  readonly id: string
  readonly taskId: string
  readonly template: string
  readonly templateVersion: number | null
  readonly policySetVersion: number
  readonly policyDigest: string
  readonly actions: readonly string[]
  readonly parameters: JsonObject
}

export interface Allowed extends Decided {
  readonly allowed: true
  readonly templateVersion: number
  readonly parameters: Readonly<Record<string, ParameterValue>>
  /** `@id`s of the permits that carried it. */
  readonly policies: readonly string[]
  readonly ttlSeconds: number
  readonly scope: JsonObject
}

export interface Denied extends Decided {
  readonly allowed: false
  readonly explanation: Explanation
}

/** For the authenticated caller: what failed first, and the nearest request that would pass (R53). */
export interface Explanation {
  readonly code: ErrorCode
  readonly message: string
  /** `@id` of the policy that refused, when one did. */
  readonly rule: string | null
  readonly nearest: NearestRequest | null
}

export interface NearestRequest {
  readonly template: string
  readonly actions: readonly string[]
  readonly parameters: JsonObject
  readonly ttlSeconds: number
}

/** The refusal as the authenticated caller sees it. */
export function denial({ explanation }: Denied): MayflyError {
  return new MayflyError(explanation.code, explanation.message, { details: { explanation } })
}
