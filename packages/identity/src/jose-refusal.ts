import { MayflyError } from '@mayfly/core'
import { errors } from 'jose'

import { unauthenticated, type RefusalReason } from './identity-refusal.ts'

const REASON_BY_CODE: Readonly<Record<string, RefusalReason>> = {
  [errors.JOSEAlgNotAllowed.code]: 'algorithm_not_accepted',
  [errors.JOSENotSupported.code]: 'algorithm_not_accepted',
  [errors.JWKSNoMatchingKey.code]: 'key_unknown',
  [errors.JWKSMultipleMatchingKeys.code]: 'key_unknown',
  [errors.JWKSInvalid.code]: 'key_unusable',
  [errors.JWSSignatureVerificationFailed.code]: 'signature_invalid',
  [errors.JWSInvalid.code]: 'token_malformed',
  [errors.JWTInvalid.code]: 'token_malformed',
}

const REASON_BY_CLAIM: Readonly<Record<string, RefusalReason>> = {
  iss: 'issuer_wrong',
  aud: 'audience_wrong',
  typ: 'type_not_accepted',
  nbf: 'not_yet_valid',
  iat: 'not_yet_valid',
}

/** Turns whatever `jwtVerify` threw into the one refusal that callers see. */
export function refusalFrom(error: unknown, resource: string | null): MayflyError {
  if (error instanceof MayflyError) return error
  return unauthenticated(reasonOf(error), resource)
}

/** jose's own errors hold the claims, so they are read here and not kept as a cause. */
function reasonOf(error: unknown): RefusalReason {
  if (error instanceof errors.JWTExpired) return error.claim === 'iat' ? 'too_old' : 'expired'
  if (error instanceof errors.JWTClaimValidationFailed) return claimReason(error)
  // What is left are keys that cannot be imported: too short, or not what their algorithm needs.
  if (!(error instanceof errors.JOSEError)) return 'key_unusable'
  return REASON_BY_CODE[error.code] ?? 'token_malformed'
}

function claimReason(error: errors.JWTClaimValidationFailed): RefusalReason {
  if (error.reason === 'missing') return 'claim_missing'
  if (error.reason === 'invalid') return 'claim_wrong'
  return REASON_BY_CLAIM[error.claim] ?? 'claim_wrong'
}
