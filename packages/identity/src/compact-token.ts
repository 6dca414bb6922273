import { createHash } from 'node:crypto'

import { z } from 'zod'

import { unauthenticated } from './identity-refusal.ts'

/** A token that was read but not checked: good for choosing what to check it with, and nothing else. */
export interface UnverifiedToken {
  readonly compact: string
  readonly header: Readonly<Record<string, unknown>>
  readonly payload: Readonly<Record<string, unknown>>
  /** Hex SHA-256 of the whole token. */
  readonly sha256: string
}

const MAX_TOKEN_BYTES = 16 * 1024
const SHAPE = /^[\w-]+\.[\w-]+\.[\w-]*$/
const object = z.record(z.string(), z.unknown())

/** Headers that bring or point to a key: the key comes from the allow-list alone (R2). */
const FORBIDDEN_HEADERS = ['jku', 'x5u', 'jwk', 'x5c', 'crit']

/** Splits and decodes a compact JWS. Throws `unauthenticated`. */
export function readCompactToken(compact: string): UnverifiedToken {
  if (compact === '') throw unauthenticated('token_missing')
  if (compact.length > MAX_TOKEN_BYTES) throw unauthenticated('token_oversized')
  if (!SHAPE.test(compact)) throw unauthenticated('token_malformed')
  const [header, payload, signature] = compact.split('.').map(decodeSegment)
  if (!header || !payload || !signature) throw unauthenticated('token_malformed')
  const token = {
    compact,
    header: parseObject(header),
    payload: parseObject(payload),
    sha256: sha256(compact),
  }
  if (FORBIDDEN_HEADERS.some((name) => Object.hasOwn(token.header, name))) {
    throw unauthenticated('header_forbidden')
  }
  return token
}

/**
 * What replay of a token without `jti` is recognised by. The signature is left out: whoever holds
 * an ECDSA token can write a second valid signature for it without the key.
 */
export function signedPartSha256(compact: string): string {
  return sha256(compact.slice(0, compact.lastIndexOf('.')))
}

/** `typ` is a media type whose `application/` may be left out, in any case (RFC 7515 section 4.1.9). */
export function hasType(
  token: UnverifiedToken,
  accepted: readonly (string | undefined)[],
): boolean {
  const { typ } = token.header
  if (typ === undefined) return accepted.includes(undefined)
  return (
    typeof typ === 'string' && accepted.includes(typ.toLowerCase().replace(/^application\//, ''))
  )
}

function decodeSegment(segment: string): Buffer {
  const bytes = Buffer.from(segment, 'base64url')
  // Unused low bits of the last character decode to nothing: without this one token has many forms.
  if (bytes.toString('base64url') !== segment) throw unauthenticated('token_malformed')
  return bytes
}

function parseObject(bytes: Buffer): Record<string, unknown> {
  try {
    return object.parse(JSON.parse(bytes.toString('utf8')))
  } catch {
    throw unauthenticated('token_malformed')
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
