import { readFile } from 'node:fs/promises'

import type { Clock, Issuer, SecurityEvent } from '@mayfly/core'
import { jwtVerify } from 'jose'

import { hasType, readCompactToken, type UnverifiedToken } from './compact-token.ts'
import { unauthenticated } from './identity-refusal.ts'
import { issuerProblems } from './issuer-problems.ts'
import { refusalFrom } from './jose-refusal.ts'
import { makeKeySets } from './key-sets.ts'
import { readSecurityEvent, securityEventClaims } from './security-event-payload.ts'

export interface SecurityEventVerifierOptions {
  readonly clock: Clock
  readonly fetch?: typeof globalThis.fetch
}

export interface SecurityEventVerifier {
  /**
   * Checks a security event token (RFC 8417) against the issuers of the class `events`. Throws
   * `unauthenticated`, with the reason in its cause alone, or `issuer_unavailable`.
   */
  verify(token: string, issuers: readonly Issuer[]): Promise<SecurityEvent>
}

/** Clocks of transmitters run ahead of ours by this much, at most. */
const CLOCK_TOLERANCE_SECONDS = 5

/** RFC 8417 section 2.2 has no use for them, and with them a token could pass for one of access. */
const CONFUSING_CLAIMS = ['exp', 'sub', 'nbf']

export function makeSecurityEventVerifier({
  clock,
  fetch = globalThis.fetch,
}: SecurityEventVerifierOptions): SecurityEventVerifier {
  const keySets = makeKeySets({
    clock,
    fetch,
    readFile: (path) => readFile(path, 'utf8'),
    maxAgeSeconds: 600,
    cooldownSeconds: 30,
    failureRestSeconds: 5,
    timeoutSeconds: 5,
  })
  return {
    async verify(compact, issuers) {
      const token = readCompactToken(compact)
      if (!hasType(token, ['secevent+jwt'])) throw unauthenticated('type_not_accepted')
      const issuer = selectTransmitter(token, issuers)
      const { payload } = await jwtVerify(compact, keySets(issuer, issuers), {
        algorithms: [...issuer.algorithms],
        audience: issuer.audience,
        issuer: issuer.issuer ?? '',
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
        currentDate: clock.now(),
        maxTokenAge: issuer.maxTokenAgeSeconds,
        requiredClaims: ['iat', 'jti', 'aud', 'events'],
      }).catch((error: unknown) => {
        throw refusalFrom(error, issuer.name)
      })
      return accept(payload, issuer)
    },
  }
}

/** What the token says of itself only selects from the list, before any key is fetched (R2). */
function selectTransmitter({ payload }: UnverifiedToken, issuers: readonly Issuer[]): Issuer {
  const named = issuers.filter(
    ({ type, tokenClass, issuer }) =>
      type === 'oidc' && tokenClass === 'events' && issuer === payload['iss'],
  )
  if (named.length === 0) throw unauthenticated('issuer_unknown')
  const audiences: readonly unknown[] = [payload['aud']].flat()
  const [issuer, ...others] = named.filter(({ audience }) => audiences.includes(audience))
  if (!issuer) throw unauthenticated('audience_wrong')
  if (others.length > 0) throw unauthenticated('issuer_ambiguous', issuer.name)
  if (issuerProblems(issuer).length > 0) throw unauthenticated('issuer_misconfigured', issuer.name)
  return issuer
}

function accept(payload: Readonly<Record<string, unknown>>, issuer: Issuer): SecurityEvent {
  if (CONFUSING_CLAIMS.some((name) => Object.hasOwn(payload, name))) {
    throw unauthenticated('claim_wrong', issuer.name)
  }
  const claims = securityEventClaims.safeParse(payload)
  const read = claims.success ? readSecurityEvent(claims.data) : null
  if (!claims.success || !read) throw unauthenticated('claim_wrong', issuer.name)
  const { iat, jti } = claims.data
  const { occurrence, subject, timestamp } = read
  return {
    issuer,
    jti,
    occurrence,
    subject,
    // One from the future would outrank everything that comes after it.
    occurredAt: new Date(Math.min(iat, timestamp ?? iat) * 1000),
    acceptableUntil: new Date((iat + issuer.maxTokenAgeSeconds + CLOCK_TOLERANCE_SECONDS) * 1000),
  }
}
