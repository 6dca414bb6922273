import type { Secret } from '@mayfly/core'
import { z } from 'zod'

import type { Database } from './database.ts'
import type { Sealer } from './sealer.ts'

export interface StoredSigningKey {
  readonly kid: string
  /** A private JWK as JSON. */
  readonly privateJwk: Secret
  readonly createdAt: Date
}

export interface SigningKeyStore {
  list(): Promise<readonly StoredSigningKey[]>
  /**
   * Adds a key, unless another broker added one within the last minute: brokers that all find that
   * a key is needed agree on the first one. Forgets all but the newest few.
   */
  add(key: Pick<StoredSigningKey, 'kid' | 'privateJwk'>): Promise<void>
}

const KEPT = 5

const LOCK = { name: 'lock_signing_keys', text: 'SELECT pg_advisory_xact_lock(19787, 0)' }

const ADD = {
  name: 'add_signing_key',
  text: `INSERT INTO signing_keys (kid, sealed_jwk, seal_key_id)
           SELECT $1, $2, $3 WHERE NOT EXISTS
             (SELECT FROM signing_keys WHERE created_at > now() - interval '1 minute')`,
}

const PRUNE = {
  name: 'prune_signing_keys',
  text: `DELETE FROM signing_keys WHERE kid IN
           (SELECT kid FROM signing_keys ORDER BY created_at DESC OFFSET $1)`,
}

const LIST = {
  name: 'list_signing_keys',
  text: `SELECT kid, sealed_jwk AS bytes, seal_key_id AS "keyId", created_at AS "createdAt"
           FROM signing_keys ORDER BY created_at DESC`,
}

const rowsSchema = z.array(
  z.object({
    kid: z.string(),
    bytes: z.instanceof(Uint8Array),
    keyId: z.string(),
    createdAt: z.date(),
  }),
)

export function makeSigningKeyStore(database: Database, sealer: Sealer): SigningKeyStore {
  return {
    async list() {
      return rowsSchema
        .parse(await database.rows(LIST, []))
        .map(({ kid, createdAt, ...sealed }) => {
          const bytes = Uint8Array.from(sealed.bytes)
          return { kid, createdAt, privateJwk: sealer.open({ ...sealed, bytes }, purpose(kid)) }
        })
    },
    add: ({ kid, privateJwk }) =>
      database.transaction(async (session) => {
        await session.rows(LOCK, [])
        const { bytes, keyId } = sealer.seal(privateJwk, purpose(kid))
        await session.rows(ADD, [kid, bytes, keyId])
        await session.rows(PRUNE, [KEPT])
      }),
  }
}

function purpose(kid: string): string {
  return `signing-key ${kid}`
}
