import type { ClaimType, Issuer, Json, VerifiedToken } from '@mayfly/core'
import { z } from 'zod'

import { signedPartSha256, type UnverifiedToken } from './compact-token.ts'
import { unauthenticated } from './identity-refusal.ts'
import { hasOnlyAudience, hasRequiredClaims } from './select-issuer.ts'

/** The last instant that a `Date` can hold, in seconds. */
const LAST_SECOND = 8_640_000_000_000
const numericDate = z.number().min(0).max(LAST_SECOND)

const registered = z.looseObject({
  // No control characters: the subject ends up in logs and in the audit trail.
  sub: z
    .string()
    .min(1)
    .max(2048)
    .regex(/^\P{Cc}+$/u),
  exp: numericDate,
  iat: numericDate.optional(),
  jti: z.string().min(1).max(1024).optional(),
})

const CLAIM_SCHEMAS = {
  string: z.string(),
  integer: z.int(),
  boolean: z.boolean(),
  strings: z.array(z.string()),
} satisfies Record<ClaimType, z.ZodType<Json>>

export interface Accepted {
  readonly verified: VerifiedToken
  /** From then on the token is too old, even where it has not expired. */
  readonly acceptableUntil: Date
}

/** Checks what jose does not and keeps what the Issuer lists. The signature must have been verified. */
export function acceptClaims(
  token: UnverifiedToken,
  payload: Readonly<Record<string, unknown>>,
  { issuer, now }: { readonly issuer: Issuer; readonly now: Date },
): Accepted {
  const claims = registered.safeParse(payload)
  if (!claims.success) throw unauthenticated('claim_wrong', issuer.name)
  if (!hasOnlyAudience(payload['aud'], issuer.audience)) {
    throw unauthenticated('audience_wrong', issuer.name)
  }
  if (!hasRequiredClaims(payload, issuer)) throw unauthenticated('claim_wrong', issuer.name)
  const { sub, exp, iat, jti } = claims.data
  const life = lifeOf({ exp, iat }, issuer, now)
  return {
    verified: {
      issuer: issuer.name,
      subject: sub,
      claims: listedClaims(payload, issuer),
      tokenId: jti ?? signedPartSha256(token.compact),
      issuedAt: iat === undefined ? null : new Date(iat * 1000),
      expiresAt: life.expiresAt,
    },
    acceptableUntil: life.acceptableUntil,
  }
}

function lifeOf(
  { exp, iat }: { exp: number; iat: number | undefined },
  issuer: Issuer,
  now: Date,
): { expiresAt: Date; acceptableUntil: Date } {
  const expiresAt = new Date(exp * 1000)
  // jose's clock tolerance is for clocks that run ahead of ours; it gives nobody a longer life.
  if (expiresAt <= now) throw unauthenticated('expired', issuer.name)
  const maxAge = issuer.maxTokenAgeSeconds
  if (iat !== undefined) {
    return { expiresAt, acceptableUntil: new Date(Math.min(exp, iat + maxAge) * 1000) }
  }
  // Nobody knows how old it is, but one that has this much left to live is not short-lived.
  if (expiresAt.getTime() > now.getTime() + maxAge * 1000) {
    throw unauthenticated('too_old', issuer.name)
  }
  return { expiresAt, acceptableUntil: expiresAt }
}

/** A listed claim of the wrong type is refused: leaving it out could silence a `forbid`. */
function listedClaims(
  payload: Readonly<Record<string, unknown>>,
  issuer: Issuer,
): Readonly<Record<string, Json>> {
  const claims: [string, Json][] = []
  for (const [name, type] of Object.entries(issuer.claims)) {
    if (!Object.hasOwn(payload, name)) continue
    const claim = CLAIM_SCHEMAS[type].safeParse(payload[name])
    if (!claim.success) throw unauthenticated('claim_wrong', issuer.name)
    claims.push([name, claim.data])
  }
  return Object.fromEntries(claims)
}
