import type { Report } from '@mayfly/core'

import type { Database } from './database.ts'

const DELIVERED = {
  name: 'deliver_leases',
  text: `
    WITH lease AS (
      UPDATE leases SET delivered_at = now(),
          due_at = CASE WHEN state = 'active' AND ended_at IS NULL THEN expires_at ELSE due_at END
        WHERE id = ANY ($1) AND delivered_at IS NULL AND state <> 'pending'
        RETURNING *
    )
    INSERT INTO audit_events (type, subject, agent, task_id, lease_id, decision_id, data)
      SELECT 'lease.delivered', subject, agent, task_id, id, decision_id, '{}' FROM lease`,
}

const FLUSH_AFTER_MS = 25

export interface Deliveries {
  add(leaseId: string): void
  /** Writes what is waiting, and resolves when it is written or given up. */
  close(): Promise<void>
}

/**
 * Collects confirmations into one statement, because nobody waits for them. What cannot be written
 * is given up: the delivery deadline then revokes the lease, which is the safe mistake.
 */
export function makeDeliveries(database: Database, report: Report): Deliveries {
  let waiting: string[] = []
  let timer: NodeJS.Timeout | null = null
  let writing = Promise.resolve()

  async function write(leaseIds: readonly string[]): Promise<void> {
    // In one order everywhere, so that two batches cannot wait for each other.
    const sorted = leaseIds.toSorted()
    try {
      await database.rows(DELIVERED, [sorted]).catch(() => database.rows(DELIVERED, [sorted]))
    } catch (error) {
      report('deliveries could not be stored; their leases will be revoked', error, {
        count: sorted.length,
      })
    }
  }

  function flush(): Promise<void> {
    if (timer) clearTimeout(timer)
    timer = null
    const batch = waiting
    waiting = []
    if (batch.length > 0) writing = writing.then(() => write(batch))
    return writing
  }

  return {
    add(leaseId) {
      waiting.push(leaseId)
      timer ??= setTimeout(() => void flush(), FLUSH_AFTER_MS)
    },
    close: flush,
  }
}
