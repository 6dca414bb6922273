import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'

import type { Clock, Issuer, TokenClass, VerifiedToken } from '@mayfly/core'
import { jwtVerify, type JWTVerifyOptions } from 'jose'

import { makeBoundedCache } from './bounded-cache.ts'
import { hasType, readCompactToken, type UnverifiedToken } from './compact-token.ts'
import { unauthenticated } from './identity-refusal.ts'
import { refusalFrom } from './jose-refusal.ts'
import { makeKeySets, type KeySets } from './key-sets.ts'
import { selectIssuer } from './select-issuer.ts'
import { acceptClaims, type Accepted } from './verified-claims.ts'

export interface TokenVerifierOptions {
  readonly clock: Clock
  readonly fetch?: typeof globalThis.fetch
  readonly readFile?: (path: string) => Promise<string>
  /** Default 600. */
  readonly keysMaxAgeSeconds?: number
  /** Default 30. */
  readonly keysCooldownSeconds?: number
  /** Default 5. */
  readonly keysFailureRestSeconds?: number
  /** Default 5. */
  readonly keysTimeoutSeconds?: number
  /** Verified tokens that are remembered until they expire. Default 10,000. */
  readonly maxRemembered?: number
}

export interface TokenVerifier {
  /**
   * Checks a compact JWT against the issuers of the policy set in force. Throws `unauthenticated`,
   * with the reason in its cause alone, or `issuer_unavailable`.
   */
  verify(token: string, tokenClass: TokenClass, issuers: readonly Issuer[]): Promise<VerifiedToken>
}

/** Clocks of issuers run ahead of ours by this much, at most. */
const CLOCK_TOLERANCE_SECONDS = 5

const SPIFFE_TYPES = [undefined, 'jwt', 'jose']
const OIDC_TYPES = [...SPIFFE_TYPES, 'at+jwt']

/** Makes the verifier of workload and operator tokens. It keeps keys, and the tokens it accepted. */
export function makeTokenVerifier(options: TokenVerifierOptions): TokenVerifier {
  const { clock } = options
  const fingerprintOf = makeFingerprints()
  const remembered = makeBoundedCache<VerifiedToken>(options.maxRemembered ?? 10_000, clock)
  const keySets = makeKeySets({
    clock,
    fetch: options.fetch ?? fetch,
    readFile: options.readFile ?? ((path) => readFile(path, 'utf8')),
    maxAgeSeconds: options.keysMaxAgeSeconds ?? 600,
    cooldownSeconds: options.keysCooldownSeconds ?? 30,
    failureRestSeconds: options.keysFailureRestSeconds ?? 5,
    timeoutSeconds: options.keysTimeoutSeconds ?? 5,
  })

  return {
    async verify(compact, tokenClass, issuers) {
      const token = readCompactToken(compact)
      const issuer = selectIssuer(token, tokenClass, issuers)
      // A changed Issuer has another fingerprint, so it meets none of what its old self accepted.
      const id = `${fingerprintOf(issuer)}.${token.sha256}`
      const known = remembered.get(id)
      if (known) return known
      const getKey = keySets(issuer, issuers)
      const { verified, acceptableUntil } = await check(token, issuer, { getKey, clock })
      remembered.set(id, verified, acceptableUntil)
      return verified
    },
  }
}

async function check(
  token: UnverifiedToken,
  issuer: Issuer,
  { getKey, clock }: { readonly getKey: ReturnType<KeySets>; readonly clock: Clock },
): Promise<Accepted> {
  const types = issuer.type === 'spiffe' ? SPIFFE_TYPES : OIDC_TYPES
  if (!hasType(token, types)) throw unauthenticated('type_not_accepted', issuer.name)
  const now = clock.now()
  const { payload } = await jwtVerify(token.compact, getKey, joseOptions(token, issuer, now)).catch(
    (error: unknown) => {
      throw refusalFrom(error, issuer.name)
    },
  )
  return acceptClaims(token, payload, { issuer, now })
}

function joseOptions(token: UnverifiedToken, issuer: Issuer, now: Date): JWTVerifyOptions {
  // A JWT-SVID may leave out `iat`; jose would demand it along with the age.
  const ageless = issuer.type === 'spiffe' && !Object.hasOwn(token.payload, 'iat')
  return {
    algorithms: [...issuer.algorithms],
    audience: issuer.audience,
    clockTolerance: CLOCK_TOLERANCE_SECONDS,
    currentDate: now,
    requiredClaims: ['exp', 'aud', 'sub'],
    ...(ageless ? {} : { maxTokenAge: issuer.maxTokenAgeSeconds }),
    ...(issuer.type === 'oidc' && issuer.issuer !== undefined ? { issuer: issuer.issuer } : {}),
  }
}

/** Identifies an Issuer by all that it says. Resources are immutable, so each is hashed once. */
function makeFingerprints(): (issuer: Issuer) => string {
  const fingerprints = new WeakMap<Issuer, string>()
  return (issuer) => {
    const known = fingerprints.get(issuer)
    if (known !== undefined) return known
    const made = createHash('sha256').update(JSON.stringify(issuer)).digest('hex')
    fingerprints.set(issuer, made)
    return made
  }
}
