import { randomUUID } from 'node:crypto'

import { SignJWT, type JWK, type JWTPayload } from 'jose'

import { publicJwk, type KeyRing, type SigningAlgorithm } from './key-ring.ts'

export interface IssueOptions {
  /** Negative for a token that is dead already. 300 unless told. */
  readonly expiresInSeconds?: number
  readonly algorithm?: SigningAlgorithm
  /** Signs with that key. One that is not published only goes into the header. */
  readonly kid?: string
  /** The header's `typ`: `JWT` unless told. */
  readonly type?: string
}

export interface IssuedToken {
  readonly kid: string
  readonly claims: JWTPayload
}

/** One development issuer: an OIDC issuer and a SPIFFE trust domain with keys of their own. */
export interface OidcIssuer {
  /** The exact `iss`. */
  readonly issuer: string
  readonly jwksUrl: URL
  /** Where the raw SPIFFE bundle is served. */
  readonly spiffeBundleUrl: URL
  /**
   * Signs a token. `iss`, `iat`, `exp` and `jti` are filled in; a claim given here replaces them,
   * and one given as `undefined` is left out.
   */
  issue(claims: Readonly<Record<string, unknown>>, options?: IssueOptions): Promise<string>
  /** Signs a JWT-SVID as SPIRE does: no `iss`, no `jti`, one audience. */
  issueSvid(spiffeId: string, audience: string, options?: IssueOptions): Promise<string>
  /** New signing keys. The old ones stay published until {@link OidcIssuer.retire}. */
  rotate(): Promise<void>
  /** Stops publishing the named key, or every key that no longer signs. */
  retire(kid?: string): void
  jwks(): { readonly keys: readonly JWK[] }
  /** As SPIRE serves it, with `use` values that no JOSE library knows. */
  spiffeBundle(): { readonly keys: readonly JWK[] }
  /** Everything it ever signed. */
  issued(): readonly IssuedToken[]
}

export interface IssuerParts {
  readonly issuer: string
  readonly ring: KeyRing
  readonly now: () => Date
}

export function makeIssuer({ issuer, ring, now }: IssuerParts): OidcIssuer {
  const issued: IssuedToken[] = []

  async function sign(use: 'sig' | 'jwt-svid', claims: JWTPayload, options: IssueOptions) {
    const { algorithm = 'ES256', kid, type = 'JWT' } = options
    const asked = kid === undefined ? undefined : ring.find(kid)
    const key = asked ?? ring.current(algorithm, use)
    const header = { alg: key.algorithm, kid: kid ?? key.kid, typ: type }
    issued.push({ kid: header.kid, claims })
    return new SignJWT(claims).setProtectedHeader(header).sign(key.privateKey)
  }

  function times({ expiresInSeconds = 300 }: IssueOptions) {
    const iat = Math.floor(now().getTime() / 1000)
    return { iat, exp: iat + expiresInSeconds }
  }

  return {
    issuer,
    jwksUrl: new URL(`${issuer}/jwks`),
    spiffeBundleUrl: new URL(`${issuer}/spiffe/bundle`),
    issue: (claims, options = {}) => {
      const standard = { iss: issuer, ...times(options), jti: randomUUID() }
      return sign('sig', { ...standard, ...claims }, options)
    },
    issueSvid: (spiffeId, audience, options = {}) =>
      sign('jwt-svid', { sub: spiffeId, aud: [audience], ...times(options) }, options),
    rotate: () => ring.rotate(),
    retire: (kid) => {
      ring.retire(kid)
    },
    jwks: () => ({ keys: ring.published('sig').map(publicJwk) }),
    spiffeBundle: () => spiffeBundle(ring),
    issued: () => [...issued],
  }
}

function spiffeBundle(ring: KeyRing) {
  // The X.509 authorities carry a `kid` here, so that a token signed with one of them finds its key
  // unless whoever checks it looks at `use`.
  const authorities = ring
    .published('x509-svid')
    .map((key) => ({ ...publicJwk(key), x5c: ['bm90IGEgY2VydGlmaWNhdGU='] }))
  const svidKeys = ring.published('jwt-svid').map(publicJwk)
  return { keys: [...authorities, ...svidKeys], spiffe_sequence: 1, spiffe_refresh_hint: 300 }
}
