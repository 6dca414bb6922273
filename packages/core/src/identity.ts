import type { Json } from './json.ts'
import type { Agent, OperatorRole } from './resources.ts'

/** A token whose signature, issuer, audience and times were checked. Says nothing of registration. */
export interface VerifiedToken {
  /** Name of the Issuer resource that vouched for it. */
  readonly issuer: string
  /** The token's `sub`. */
  readonly subject: string
  /** Only the claims that the Issuer resource lists. */
  readonly claims: Readonly<Record<string, Json>>
  /** `jti`, or the SHA-256 of the token where it has none: what replay is recognised by. */
  readonly tokenId: string
  readonly issuedAt: Date | null
  readonly expiresAt: Date
}

/** A registered agent behind a verified workload token. */
export interface Workload {
  readonly token: VerifiedToken
  readonly agent: Agent
}

/** A person behind a verified operator token. */
export interface Operator {
  readonly issuer: string
  readonly subject: string
  readonly roles: readonly OperatorRole[]
}

export function subjectOf(token: Pick<VerifiedToken, 'issuer' | 'subject'>): string {
  return `${token.issuer}#${token.subject}`
}
