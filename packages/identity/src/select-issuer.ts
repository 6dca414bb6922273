import type { Issuer, TokenClass } from '@mayfly/core'

import type { UnverifiedToken } from './compact-token.ts'
import { unauthenticated } from './identity-refusal.ts'
import { issuerProblems } from './issuer-problems.ts'
import { parseSpiffeId } from './spiffe-id.ts'

/**
 * Chooses the one Issuer whose keys the token will be checked with. What the token says of itself
 * only selects from the list (R2). Throws `unauthenticated`.
 */
export function selectIssuer(
  token: UnverifiedToken,
  tokenClass: TokenClass,
  issuers: readonly Issuer[],
): Issuer {
  const named = issuersNamedBy(token, issuers)
  if (named.length === 0) throw unauthenticated('issuer_unknown')
  const [issuer, ...others] = named.length === 1 ? named : named.filter((one) => fits(token, one))
  if (!issuer) throw unauthenticated('audience_wrong')
  // Two that fit could be one of each class: guessing would give an agent an operator's rights.
  if (others.length > 0) throw unauthenticated('issuer_ambiguous', issuer.name)
  if (issuer.tokenClass !== tokenClass) throw unauthenticated('class_wrong', issuer.name)
  if (issuerProblems(issuer).length > 0) throw unauthenticated('issuer_misconfigured', issuer.name)
  return issuer
}

/** A SPIFFE ID of a listed trust domain is checked with that domain's bundle, whatever `iss` says (R5). */
function issuersNamedBy(token: UnverifiedToken, issuers: readonly Issuer[]): readonly Issuer[] {
  const { iss, sub } = token.payload
  const trustDomain = typeof sub === 'string' ? parseSpiffeId(sub)?.trustDomain : undefined
  const spiffe = issuers.filter(
    (issuer) => issuer.type === 'spiffe' && issuer.trustDomain === trustDomain,
  )
  if (trustDomain !== undefined && spiffe.length > 0) return spiffe
  // A transmitter of security events vouches for nobody, even where it also issues tokens.
  return issuers.filter(
    ({ type, tokenClass, issuer }) => type === 'oidc' && tokenClass !== 'events' && issuer === iss,
  )
}

function fits({ payload }: UnverifiedToken, issuer: Issuer): boolean {
  return hasOnlyAudience(payload['aud'], issuer.audience) && hasRequiredClaims(payload, issuer)
}

/** A token for two audiences could be replayed to us by the other one (R4). */
export function hasOnlyAudience(aud: unknown, audience: string): boolean {
  if (Array.isArray(aud)) return aud.length === 1 && aud[0] === audience
  return aud === audience
}

export function hasRequiredClaims(
  payload: Readonly<Record<string, unknown>>,
  issuer: Issuer,
): boolean {
  return Object.entries(issuer.requiredClaims).every(
    ([name, value]) => Object.hasOwn(payload, name) && isScalar(payload[name], value),
  )
}

function isScalar(claim: unknown, expected: string): boolean {
  if (typeof claim === 'number' || typeof claim === 'boolean') return String(claim) === expected
  return claim === expected
}
