import { MayflyError } from '@mayfly/core'

/** Why a token was refused, for the log and the audit event. Never for the caller (R115). */
export type RefusalReason =
  | 'token_missing'
  | 'token_oversized'
  | 'token_malformed'
  | 'header_forbidden'
  | 'type_not_accepted'
  | 'algorithm_not_accepted'
  | 'issuer_unknown'
  | 'issuer_ambiguous'
  | 'issuer_misconfigured'
  | 'class_wrong'
  | 'key_unknown'
  | 'key_unusable'
  | 'signature_invalid'
  | 'issuer_wrong'
  | 'audience_wrong'
  | 'subject_malformed'
  | 'claim_missing'
  | 'claim_wrong'
  | 'expired'
  | 'not_yet_valid'
  | 'too_old'
  | 'agent_unknown'
  | 'agent_ambiguous'
  | 'agent_quarantined'
  | 'environment_not_vouched'
  | 'owner_inactive'

/** The operator's half of a refusal: travels as `cause` of the error that the caller sees. */
export class IdentityRefusal extends Error {
  override readonly name = 'IdentityRefusal'
  readonly reason: RefusalReason
  /** Name of the Issuer or Agent resource, once one was selected. */
  readonly resource: string | null

  constructor(reason: RefusalReason, resource: string | null = null) {
    super(resource === null ? reason : `${reason}: ${resource}`)
    this.reason = reason
    this.resource = resource
  }
}

/** The one answer for every token that is not accepted: an unknown issuer looks like a bad signature. */
export function unauthenticated(
  reason: RefusalReason,
  resource: string | null = null,
): MayflyError {
  return new MayflyError('unauthenticated', 'the token was not accepted', {
    cause: new IdentityRefusal(reason, resource),
  })
}

/** The reason behind an error of this package, or `null` for any other error. */
export function refusalOf(error: unknown): IdentityRefusal | null {
  return error instanceof MayflyError && error.cause instanceof IdentityRefusal ? error.cause : null
}
