import { Secret, type Clock } from '@mayfly/core'
import {
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  type JSONWebKeySet,
  type JWK,
} from 'jose'
import { z } from 'zod'

export interface StoredSigningKey {
  readonly kid: string
  /** A private JWK as JSON. */
  readonly privateJwk: Secret
  readonly createdAt: Date
}

/** Where the broker's signing keys are kept, sealed, for all brokers. */
export interface SigningKeyStore {
  /** All keys that have not been pruned, in any order. */
  list(): Promise<readonly StoredSigningKey[]>
  add(key: Omit<StoredSigningKey, 'createdAt'>): Promise<void>
}

export interface SigningKey {
  readonly kid: string
  readonly privateJwk: Secret
}

export interface SigningKeys {
  /** The key that signs now. Makes one when there is none, or when the last one has had its time. */
  active(): Promise<SigningKey>
  /** The public halves of the active key and of those that retired a short while ago. */
  published(): Promise<JSONWebKeySet>
}

export interface SigningKeysOptions {
  readonly store: SigningKeyStore
  readonly clock: Clock
  /** How long a key signs. Default 30 days. */
  readonly rotateAfterSeconds?: number
  /** How long it is published after that; longer than any token lives. Default one hour. */
  readonly retireAfterSeconds?: number
}

/** What task tokens are signed with. */
export const SIGNING_ALGORITHM = 'ES256'

const privateJwk = z.looseObject({
  kty: z.literal('EC'),
  crv: z.string(),
  x: z.string(),
  y: z.string(),
})

/**
 * Rotates the signing keys in a store. Two brokers that rotate at once make two keys, of which the
 * older one retires at once: both are published, so neither's tokens are refused.
 */
export function makeSigningKeys(options: SigningKeysOptions): SigningKeys {
  const { store, clock, rotateAfterSeconds = 30 * 86_400, retireAfterSeconds = 3600 } = options

  async function newestFirst(): Promise<readonly StoredSigningKey[]> {
    const keys = await store.list()
    // By id where they are of the same instant: all brokers must agree which is the newest.
    return keys.toSorted(
      (a, b) => b.createdAt.getTime() - a.createdAt.getTime() || (a.kid < b.kid ? 1 : -1),
    )
  }

  const isOlderThan = (key: StoredSigningKey, seconds: number): boolean =>
    clock.now().getTime() >= key.createdAt.getTime() + seconds * 1000

  return {
    async active() {
      const [newest] = await newestFirst()
      if (newest && !isOlderThan(newest, rotateAfterSeconds)) return newest
      await store.add(await makeSigningKey())
      const [made] = await newestFirst()
      if (!made) throw new Error('the signing key that was stored cannot be found')
      return made
    },
    async published() {
      const keys = await newestFirst()
      const current = keys.filter((_key, index) => {
        const successor = keys[index - 1]
        return !successor || !isOlderThan(successor, retireAfterSeconds)
      })
      return { keys: current.map(publicHalf) }
    },
  }
}

async function makeSigningKey(): Promise<SigningKey> {
  const { privateKey } = await generateKeyPair(SIGNING_ALGORITHM, { extractable: true })
  const jwk = await exportJWK(privateKey)
  return {
    kid: await calculateJwkThumbprint(jwk),
    privateJwk: new Secret(JSON.stringify(jwk)),
  }
}

/** Picks the public members by name: whatever else the key holds stays inside. */
function publicHalf(key: SigningKey): JWK {
  const { kty, crv, x, y } = privateJwk.parse(JSON.parse(key.privateJwk.reveal()))
  return { kty, crv, x, y, kid: key.kid, alg: SIGNING_ALGORITHM, use: 'sig' }
}
