import type { RevocationHandle } from '@mayfly/core'
import { z } from 'zod'

import type { Database } from './database.ts'
import { sealPurpose } from './lease-handle.ts'
import type { Sealer } from './sealer.ts'

const PEEK = {
  name: 'peek_handle',
  text: `SELECT provider, sealed_handle AS "sealedHandle", handle_key_id AS "handleKeyId"
           FROM leases WHERE id = $1 AND sealed_handle IS NOT NULL`,
}

const rowSchema = z.object({
  provider: z.enum(['github', 'aws', 'vault']),
  sealedHandle: z.instanceof(Uint8Array),
  handleKeyId: z.string(),
})

export type PeekHandle = (leaseId: string) => Promise<RevocationHandle | null>

/** The handle of a lease that is not over, without claiming it: to ask the provider, not to act. */
export function makePeekHandle(database: Database, sealer: Sealer): PeekHandle {
  return async (leaseId) => {
    const [row] = await database.rows(PEEK, [leaseId])
    if (row === undefined) return null
    const { provider, sealedHandle, handleKeyId } = rowSchema.parse(row)
    const sealed = { keyId: handleKeyId, bytes: Uint8Array.from(sealedHandle) }
    return sealer.open(sealed, sealPurpose(leaseId, provider))
  }
}
