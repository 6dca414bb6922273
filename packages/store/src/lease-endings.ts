import { MayflyError, type EndReason, type Lease } from '@mayfly/core'
import { z } from 'zod'

import type { Session } from './database.ts'
import { LEASE_COLUMNS, leaseOf } from './lease-row.ts'

// A pending lease keeps its mint deadline as `due_at`: its credential may be made at this moment,
// and nothing can be proven dead before that is over.
function ending(which: string): string {
  return `
    WITH lease AS (
      UPDATE leases SET ended_at = now(), end_reason = $2,
          due_at = CASE state WHEN 'active' THEN now() ELSE due_at END
        WHERE ${which} AND ended_at IS NULL AND state IN ('pending', 'active')
        RETURNING *
    ), event AS (
      INSERT INTO audit_events (type, subject, agent, task_id, lease_id, decision_id, data)
        SELECT 'lease.ended', subject, agent, task_id, id, decision_id,
          jsonb_build_object('reason', end_reason, 'from', state) FROM lease
    )
    SELECT ${LEASE_COLUMNS} FROM lease`
}

const END = { name: 'end_lease', text: ending('id = $1') }
const END_IN_TASK = { name: 'end_leases_of_task', text: ending('task_id = $1') }

const FIND = { name: 'find_lease', text: `SELECT ${LEASE_COLUMNS} FROM leases WHERE id = $1` }

const DUE_IN_TASK = {
  name: 'due_leases_of_task',
  text: `SELECT id FROM leases WHERE task_id = $1 AND due_at <= clock_timestamp()`,
}

const idsSchema = z.array(z.object({ id: z.string() }))

export async function endLease(
  session: Session,
  leaseId: string,
  reason: EndReason,
): Promise<Lease> {
  const [ended] = await session.rows(END, [leaseId, reason])
  if (ended) return leaseOf(ended)
  const [row] = await session.rows(FIND, [leaseId])
  if (!row) throw new MayflyError('lease_unknown', `no lease ${leaseId}`)
  return leaseOf(row)
}

/** Ends what is live in the task. Returns the ids of all leases that are due, by this or before. */
export async function endLeasesOfTask(
  session: Session,
  taskId: string,
): Promise<readonly string[]> {
  const reason: EndReason = 'task_closed'
  await session.rows(END_IN_TASK, [taskId, reason])
  return idsSchema.parse(await session.rows(DUE_IN_TASK, [taskId])).map(({ id }) => id)
}
