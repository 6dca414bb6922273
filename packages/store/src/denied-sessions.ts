import type { DeniedSessions } from '@mayfly/core'
import pg from 'pg'
import { z } from 'zod'

import { reachDatabase } from './database-error.ts'

export interface PostgresDeniedSessions extends DeniedSessions {
  close(): Promise<void>
}

// Revoked leases too: the deny is what keeps them dead until the session dies by itself. A minute
// more covers a difference between our clock and the provider's.
const DENIED = `
  SELECT id FROM leases
    WHERE provider = 'aws' AND credential_expires_at > now() - interval '1 minute'
      AND targets @> ARRAY[$1] AND ended_at IS NOT NULL AND state NOT IN ('failed', 'expired')
    ORDER BY id`

/** Roles whose deny policy may be rewritten at once, and how long one waits for another worker. */
const MAX_SESSIONS = 4
const LOCK_TIMEOUT_MS = 60_000

const idsSchema = z.array(z.object({ id: z.string() }))

/**
 * Holds a role's lock with a database session that does nothing else, because the lock is the
 * session's: it goes when the session does, so a worker that dies lets go of it.
 */
export function makeDeniedSessions(connectionString: string): PostgresDeniedSessions {
  const pool = new pg.Pool({
    connectionString,
    max: MAX_SESSIONS,
    connectionTimeoutMillis: LOCK_TIMEOUT_MS,
    statement_timeout: LOCK_TIMEOUT_MS,
    application_name: 'mayfly-locks',
  })
  pool.on('error', () => undefined)
  return {
    underRoleLock: (roleArn, work) => underLock(pool, roleArn, work),
    close: () => pool.end(),
  }
}

async function underLock<Result>(
  pool: pg.Pool,
  roleArn: string,
  work: (leaseIds: readonly string[]) => Promise<Result>,
): Promise<Result> {
  const client = await reachDatabase(() => pool.connect())
  let lost = false
  const lose = (): void => {
    lost = true
  }
  client.on('error', lose)
  try {
    const { rows } = await reachDatabase(async () => {
      await client.query('SELECT pg_advisory_lock(19788, hashtext($1))', [roleArn])
      return client.query<object>(DENIED, [`aws:role:${roleArn}`])
    })
    const result = await work(idsSchema.parse(rows).map(({ id }) => id))
    await reachDatabase(() =>
      client.query('SELECT pg_advisory_unlock(19788, hashtext($1))', [roleArn]),
    )
    return result
  } catch (error) {
    // The session is thrown away, and the lock goes with it.
    lost = true
    throw error
  } finally {
    client.off('error', lose)
    client.release(lost)
  }
}
