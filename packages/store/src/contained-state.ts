import { z } from 'zod'

/** What became of a lease `l` that is the member `m` of a containment `c`. */
export const CONTAINED_STATE = `
  CASE WHEN l.state = 'revoked' THEN 'revoked'
       WHEN l.state = 'expired' THEN 'expired'
       WHEN l.state = 'failed' THEN 'never_minted'
       WHEN m.ended_at IS NULL AND c.cancelled_at IS NOT NULL THEN 'spared'
       WHEN l.irrevocable_dies_at IS NOT NULL THEN 'irrevocable'
       WHEN l.state = 'revocation_failed' THEN 'failed'
       WHEN l.state = 'revoking' AND l.sent_at IS NOT NULL THEN 'propagating'
       ELSE 'queued' END`

export const containedState = z.enum([
  'queued',
  'propagating',
  'failed',
  'irrevocable',
  'revoked',
  'expired',
  'never_minted',
  'spared',
])
