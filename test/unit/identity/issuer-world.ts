import { MayflyError, type Issuer } from '@mayfly/core'
import {
  makeTokenVerifier,
  refusalOf,
  type TokenVerifier,
  type TokenVerifierOptions,
} from '@mayfly/identity'
import { startOidcStandin, type OidcStandin, type OidcStandinKeys } from '@mayfly/standins'
import { importJWK, SignJWT, type JWK, type JWTHeaderParameters } from 'jose'

export const AUDIENCE = 'https://mayfly.test'
export const AGENT_SUBJECT = 'repo:acme/payments:ref:refs/heads/main'

export interface IssuerWorld {
  readonly standin: OidcStandin
  /** An Issuer resource that trusts the stand-in by discovery. */
  readonly issuer: Issuer
  readonly verifier: TokenVerifier
  /** A token that the issuer's resource accepts, but for `claims`. */
  token(claims?: Readonly<Record<string, unknown>>): Promise<string>
  /** The same with headers of one's own, signed with the issuer's real key. */
  signed(header: Readonly<Record<string, unknown>>, claims?: object): Promise<string>
  stop(): Promise<void>
}

export async function startIssuerWorld(
  options: Partial<TokenVerifierOptions> = {},
  keys: OidcStandinKeys = {},
): Promise<IssuerWorld> {
  const standin = await startOidcStandin({ keys })
  const key = privateKey(standin)
  const standard = { sub: AGENT_SUBJECT, aud: AUDIENCE }
  return {
    standin,
    issuer: issuerOf(standin),
    verifier: makeTokenVerifier({ clock: { now: () => new Date() }, ...options }),
    token: (claims = {}) => standin.issue({ ...standard, ...claims }),
    async signed(header, claims = {}) {
      const now = Math.floor(Date.now() / 1000)
      const payload = { iss: standin.issuer, iat: now, exp: now + 300, ...standard, ...claims }
      const full = { alg: 'ES256', kid: key.kid, typ: 'JWT', ...header } as JWTHeaderParameters
      return new SignJWT(payload)
        .setProtectedHeader(full)
        .sign(await importJWK(key, 'ES256'), { crit: { 'urn:test': true } })
    },
    stop: () => standin.stop(),
  }
}

export function issuerOf(standin: OidcStandin, more: Partial<Issuer> = {}): Issuer {
  return {
    kind: 'Issuer',
    name: 'github-actions',
    type: 'oidc',
    tokenClass: 'workload',
    environments: ['development'],
    issuer: standin.issuer,
    audience: AUDIENCE,
    algorithms: ['ES256'],
    keys: { from: 'discovery' },
    maxTokenAgeSeconds: 600,
    claims: {},
    requiredClaims: {},
    ...more,
  }
}

/** The issuer's own signing key, for tokens that an honest issuer would not write. */
export function privateKey(standin: OidcStandin): JWK {
  const keys = Object.values(standin.exportKeys()).flat()
  const key = keys.find(({ alg, use }) => alg === 'ES256' && use === 'sig')
  if (!key) throw new Error('the stand-in has no ES256 key')
  return key
}

/** What the caller sees and what the operator sees, side by side. */
export async function refusal(
  attempt: Promise<unknown>,
): Promise<{ code: string; message: string; reason: string | null }> {
  const error: unknown = await attempt.then(
    () => new Error('nothing was refused'),
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof MayflyError)) throw error
  return { code: error.code, message: error.message, reason: refusalOf(error)?.reason ?? null }
}

/** The one answer to every token that is not accepted. */
export function unauthenticated(reason: string): object {
  return { code: 'unauthenticated', message: 'the token was not accepted', reason }
}
