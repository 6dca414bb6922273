import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

import { Secret } from '@mayfly/core'

/** A 256-bit key and the name that is stored beside what it sealed. */
export interface SealingKey {
  readonly id: string
  readonly key: Secret
}

export interface Sealed {
  readonly keyId: string
  /** Nonce, tag, ciphertext. */
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** Encrypts secrets at rest. `purpose` is bound in: what was sealed for one row opens for no other. */
export interface Sealer {
  seal(secret: Secret, purpose: string): Sealed
  /** Throws when the key is gone, or when key, purpose or bytes are not those of the sealing. */
  open(sealed: Sealed, purpose: string): Secret
}

const ALGORITHM = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** AES-256-GCM. The first key seals, all of them open: rotate by putting a new key in front. */
export function makeSealer(keys: readonly SealingKey[]): Sealer {
  const current = keys[0]
  if (!current) throw new Error('no sealing key is configured')
  return {
    seal(secret, purpose) {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv(ALGORITHM, keyBytes(current), nonce)
      cipher.setAAD(Buffer.from(purpose))
      const text = Buffer.concat([cipher.update(secret.reveal(), 'utf8'), cipher.final()])
      return { keyId: current.id, bytes: concatenate(nonce, cipher.getAuthTag(), text) }
    },
    open({ keyId, bytes }, purpose) {
      const key = keys.find(({ id }) => id === keyId)
      if (!key) throw new Error(`sealing key ${keyId} is not configured`)
      const nonce = bytes.subarray(0, NONCE_BYTES)
      const decipher = createDecipheriv(ALGORITHM, keyBytes(key), nonce, {
        authTagLength: TAG_BYTES,
      })
      decipher.setAAD(Buffer.from(purpose))
      decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES))
      const text = decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES))
      return new Secret(Buffer.concat([text, decipher.final()]).toString('utf8'))
    },
  }
}

/** Reads `id:base64,id:base64`, each key 32 bytes, the sealing one first. */
export function parseSealingKeys(list: Secret): readonly SealingKey[] {
  return list
    .reveal()
    .split(',')
    .map((entry) => {
      const [id = '', key = '', ...rest] = entry.trim().split(':')
      const bytes = Buffer.from(key, 'base64')
      if (!/^[\w-]{1,32}$/.test(id) || bytes.length !== 32 || rest.length > 0)
        throw new Error('sealing keys must read id:base64 of 32 bytes, separated by commas')
      return { id, key: new Secret(key) }
    })
}

function keyBytes({ key }: SealingKey): Buffer {
  return Buffer.from(key.reveal(), 'base64')
}

/** `Buffer.concat` may hand out a slice of the shared pool, which database drivers copy whole. */
function concatenate(...parts: readonly Buffer[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let offset = 0
  for (const part of parts) {
    bytes.set(part, offset)
    offset += part.length
  }
  return bytes
}
