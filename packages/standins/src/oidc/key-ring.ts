import { randomUUID } from 'node:crypto'

import { exportJWK, generateKeyPair, importJWK, type CryptoKey, type JWK } from 'jose'

export type SigningAlgorithm = 'ES256' | 'RS256'

export interface SigningKey {
  readonly kid: string
  readonly algorithm: SigningAlgorithm
  readonly use: KeyUse
  readonly privateKey: CryptoKey
  /** Carries the private part. */
  readonly jwk: JWK
}

/** `sig` is an OIDC issuer's key, the others a SPIFFE trust domain's. */
export type KeyUse = 'sig' | 'jwt-svid' | 'x509-svid'

/** The keys that one issuer publishes. The newest of each algorithm and use signs. */
export interface KeyRing {
  current(algorithm: SigningAlgorithm, use: KeyUse): SigningKey
  find(kid: string): SigningKey | undefined
  published(use: KeyUse): readonly SigningKey[]
  /** Replaces every signing key. The old ones stay published. */
  rotate(): Promise<void>
  /** Stops publishing the named key, or every key that no longer signs. */
  retire(kid?: string): void
  export(): readonly JWK[]
}

const WANTED: readonly { algorithm: SigningAlgorithm; use: KeyUse }[] = [
  { algorithm: 'ES256', use: 'sig' },
  { algorithm: 'RS256', use: 'sig' },
  { algorithm: 'ES256', use: 'jwt-svid' },
  { algorithm: 'ES256', use: 'x509-svid' },
]

/** Makes a ring of new keys, or of the private JWKs that an earlier ring exported. */
export async function makeKeyRing(stored: readonly JWK[] = []): Promise<KeyRing> {
  // Oldest first: the last one of a kind signs.
  let keys = stored.length > 0 ? await Promise.all(stored.map(loadKey)) : await newKeys()
  const current = (algorithm: SigningAlgorithm, use: KeyUse): SigningKey => {
    const key = keys.findLast((each) => each.algorithm === algorithm && each.use === use)
    if (key === undefined) throw new TypeError(`this issuer has no ${algorithm} key for ${use}`)
    return key
  }
  const signs = (key: SigningKey) => current(key.algorithm, key.use).kid === key.kid
  return {
    current,
    find: (kid) => keys.find((key) => key.kid === kid),
    published: (use) => keys.filter((key) => key.use === use),
    rotate: async () => {
      const fresh = await newKeys()
      keys = [...keys, ...fresh]
    },
    retire: (kid) => {
      keys = keys.filter((key) => (kid === undefined ? signs(key) : key.kid !== kid))
    },
    export: () => keys.map((key) => key.jwk),
  }
}

/** The public half, as published. SPIRE publishes no `alg`. */
export function publicJwk({ jwk, kid, use, algorithm }: SigningKey): JWK {
  const { kty, crv, x, y, n, e } = jwk
  const material = kty === 'EC' ? { kty, crv, x, y } : { kty, n, e }
  const described = use === 'sig' ? { kid, use, alg: algorithm } : { kid, use }
  // The members are optional in jose's type, and present in a key that jose exported.
  return { ...material, ...described } as JWK
}

function newKeys(): Promise<SigningKey[]> {
  return Promise.all(WANTED.map(newKey))
}

async function newKey({ algorithm, use }: (typeof WANTED)[number]): Promise<SigningKey> {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true })
  const kid = randomUUID()
  const jwk = { ...(await exportJWK(privateKey)), kid, alg: algorithm, use }
  return { kid, algorithm, use, privateKey, jwk }
}

async function loadKey(jwk: JWK): Promise<SigningKey> {
  const { kid, alg, use } = jwk
  const known = WANTED.find((each) => each.algorithm === alg && each.use === use)
  if (kid === undefined || known === undefined) throw new TypeError('not a key of this stand-in')
  // Only a symmetric JWK imports as bytes, and `known` has ruled that out.
  const privateKey = (await importJWK(jwk, known.algorithm)) as CryptoKey
  return { kid, ...known, privateKey, jwk }
}
