import type { Clock } from '@mayfly/core'
import { importJWK, type CryptoKey, type JWK } from 'jose'

import { SIGNING_ALGORITHM, type SigningKeys } from './signing-keys.ts'

export interface ActiveKey {
  readonly kid: string
  readonly key: CryptoKey | Uint8Array
}

/**
 * Reads and imports the signing key once in `maxAgeSeconds`. A key that another broker has replaced
 * meanwhile still signs good tokens, because it stays published for longer than that.
 */
export function makeActiveKey(
  signingKeys: Pick<SigningKeys, 'active'>,
  clock: Clock,
  maxAgeSeconds: number,
): () => Promise<ActiveKey> {
  let current: { readonly key: Promise<ActiveKey>; readonly until: number } | null = null
  return () => {
    const now = clock.now().getTime()
    if (current && now < current.until) return current.key
    const key = read(signingKeys)
    const reading = { key, until: now + maxAgeSeconds * 1000 }
    current = reading
    key.catch(() => {
      if (current === reading) current = null
    })
    return key
  }
}

async function read(signingKeys: Pick<SigningKeys, 'active'>): Promise<ActiveKey> {
  const { kid, privateJwk } = await signingKeys.active()
  const jwk = JSON.parse(privateJwk.reveal()) as JWK // checked by the import
  return { kid, key: await importJWK(jwk, SIGNING_ALGORITHM) }
}
