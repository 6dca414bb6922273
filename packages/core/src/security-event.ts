import type { Issuer } from './resources.ts'

/** Whom a security event is about (RFC 9493), as far as Mayfly knows such people and things. */
export type SecuritySubject =
  | { readonly format: 'email'; readonly email: string }
  | { readonly format: 'iss_sub'; readonly iss: string; readonly sub: string }
  | { readonly format: 'opaque'; readonly id: string }
  | { readonly format: 'jwt_id'; readonly iss: string; readonly jti: string }

/** What happened (CAEP 1.0, SSF 1.0). */
export type SecurityOccurrence =
  | { readonly event: 'session-revoked' }
  | {
      readonly event: 'credential-change'
      readonly changeType: 'create' | 'revoke' | 'update' | 'delete'
    }
  | { readonly event: 'risk-level-change'; readonly currentLevel: 'LOW' | 'MEDIUM' | 'HIGH' }
  | {
      readonly event: 'device-compliance-change'
      readonly currentStatus: 'compliant' | 'not-compliant'
    }
  | { readonly event: 'verification' }
  /** A type that nothing follows from here. */
  | { readonly event: 'other' }

/** A verified security event token. */
export interface SecurityEvent {
  /** The transmitter: an Issuer of the token class `events`. */
  readonly issuer: Issuer
  /** One token has one effect. */
  readonly jti: string
  readonly occurrence: SecurityOccurrence
  /** Null where there is none to speak of, as in a verification. */
  readonly subject: SecuritySubject | null
  readonly occurredAt: Date
  /** From then on the token is too old to be accepted again. */
  readonly acceptableUntil: Date
}

/**
 * `stop`: what is live dies, and nobody goes on with what they had. `hold`: besides, nothing is
 * issued until `release`.
 */
export type SecurityEffect = 'stop' | 'hold' | 'release' | 'none'

export function effectOf(occurrence: SecurityOccurrence): SecurityEffect {
  switch (occurrence.event) {
    case 'session-revoked':
      return 'stop'
    case 'credential-change':
      return ['revoke', 'delete'].includes(occurrence.changeType) ? 'stop' : 'none'
    case 'risk-level-change':
      return ({ HIGH: 'hold', MEDIUM: 'none', LOW: 'release' } as const)[occurrence.currentLevel]
    case 'device-compliance-change':
      return occurrence.currentStatus === 'compliant' ? 'release' : 'hold'
    case 'verification':
    case 'other':
      return 'none'
  }
}
