import { createHash } from 'node:crypto'

import { MayflyError, type Idempotency } from '@mayfly/core'
import type { Request } from 'express'

export interface IdempotentRequest {
  /** Who asks, so that one caller's key says nothing about another's request. */
  readonly caller: string
  readonly operation: string
  readonly body: unknown
}

/** Reads `Idempotency-Key` (R26). Throws `invalid_request` for a key that cannot be stored. */
export function idempotencyOf(req: Request, request: IdempotentRequest): Idempotency | null {
  const key = req.get('idempotency-key')
  if (key === undefined) return null
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw new MayflyError('invalid_request', 'Idempotency-Key must be 1 to 255 visible characters')
  }
  const requestSha256 = createHash('sha256').update(canonical(request)).digest('hex')
  return { key, requestSha256 }
}

/** Keys sorted at every level: a client may serialise its retry in another order. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, node: unknown) =>
    typeof node === 'object' && node !== null && !Array.isArray(node)
      ? Object.fromEntries(Object.entries(node).sort(([a], [b]) => (a < b ? -1 : 1)))
      : node,
  )
}
