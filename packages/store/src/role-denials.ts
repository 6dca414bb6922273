import type { DeniedSession, RoleDenials } from '@mayfly/core'
import { z } from 'zod'

/** Runs one statement in the session that holds the role's lock. */
export type RunStatement = (text: string, values: readonly unknown[]) => Promise<readonly unknown[]>

const COLUMNS = `l.id AS "leaseId", l.expires_at AS "sealedAt", l.state = 'pending' AS pending,
  d.policy, d.since, d.cut_off AS "cutOff"`

export const FIND = `
  SELECT ${COLUMNS} FROM leases l LEFT JOIN denied_sessions d ON d.lease_id = l.id WHERE l.id = $1`

export const FORGET = 'DELETE FROM denied_sessions WHERE lease_id = $1 AND since = $2'

// A session's own policy ends with its lease, so nothing needs an entry that ended on time, and
// nothing keeps one longer. A minute more covers a difference between our clock and the provider's.
// Revoked leases are listed too: the Deny is what keeps their sessions dead until then.
const LIST = `
  SELECT ${COLUMNS} FROM leases l LEFT JOIN denied_sessions d ON d.lease_id = l.id
    WHERE l.provider = 'aws' AND l.credential_expires_at > now() - interval '1 minute'
      AND l.expires_at > now() - interval '1 minute' AND l.targets @> ARRAY[$1]
      AND (d.lease_id IS NOT NULL
        OR l.ended_at < l.expires_at AND l.state NOT IN ('failed', 'expired'))
    ORDER BY l.id`

const PRUNE = `
  DELETE FROM denied_sessions d USING leases l
    WHERE l.id = d.lease_id AND l.targets @> ARRAY[$1]
      AND l.expires_at <= now() - interval '1 minute'`

const FORGET_ALL = 'DELETE FROM denied_sessions WHERE lease_id = ANY($1)'

const RECORD = `
  INSERT INTO denied_sessions (lease_id, policy, since, cut_off)
    SELECT id, $2, clock_timestamp(), $3 FROM leases WHERE id = ANY($1)
    ON CONFLICT (lease_id) DO UPDATE
      SET policy = excluded.policy, since = excluded.since, cut_off = excluded.cut_off`

// As `end` of the lease store does it: a pending lease keeps its mint deadline as `due_at`.
const END_OPENED_BEFORE = `
  WITH lease AS (
    UPDATE leases SET ended_at = now(), end_reason = 'role_revoked',
        due_at = CASE state WHEN 'active' THEN now() ELSE due_at END
      WHERE provider = 'aws' AND targets @> ARRAY[$1] AND created_at < $2
        AND ended_at IS NULL AND state IN ('pending', 'active')
      RETURNING *
  ), ended AS (
    INSERT INTO audit_events (type, subject, agent, task_id, lease_id, decision_id, data)
      SELECT 'lease.ended', subject, agent, task_id, id, decision_id,
        jsonb_build_object('reason', end_reason, 'from', state) FROM lease
  ), role AS (
    INSERT INTO audit_events (type, data)
      SELECT 'aws.role_revoked', jsonb_build_object('roleArn', $3::text, 'policy', $4::text,
        'issuedBefore', $2::timestamptz, 'alsoEnded', coalesce(jsonb_agg(id ORDER BY id), '[]'))
        FROM lease
  )
  SELECT id AS "leaseId", expires_at AS "sealedAt", state = 'pending' AS pending,
    NULL AS policy, NULL AS since, NULL AS "cutOff" FROM lease ORDER BY id`

const REPORT_REPAIR = `
  INSERT INTO audit_events (type, data) VALUES ('aws.deny_policy_repaired',
    jsonb_build_object('roleArn', $1::text, 'policy', $2::text, 'missing', to_jsonb($3::text[])))`

const sessionSchema = z.object({
  leaseId: z.string(),
  sealedAt: z.date(),
  pending: z.boolean(),
  policy: z.string().nullable(),
  since: z.date().nullable(),
  cutOff: z.date().nullable(),
})
const clockSchema = z.tuple([z.object({ now: z.date() })])

export function deniedSessionOf(row: unknown): DeniedSession {
  const { policy, since, cutOff, ...session } = sessionSchema.parse(row)
  const denial = policy === null || since === null ? null : { policy, since, cutOff }
  return { ...session, denial }
}

/** The books of a role; `run` must go to the session that holds its lock. */
export function openRoleDenials(roleArn: string, run: RunStatement): RoleDenials {
  const target = `aws:role:${roleArn}`
  return {
    async read() {
      await run(PRUNE, [target])
      const sessions = (await run(LIST, [target])).map(deniedSessionOf)
      const clock = await run('SELECT clock_timestamp()::timestamptz(3) AS now', [])
      const [{ now }] = clockSchema.parse(clock)
      return { sessions, now }
    },
    async forget(leaseIds) {
      await run(FORGET_ALL, [leaseIds])
    },
    async record({ policy, cutOff, leaseIds }) {
      await run(RECORD, [leaseIds, policy, cutOff])
    },
    endOpenedBefore: async (cutOff, policy) =>
      (await run(END_OPENED_BEFORE, [target, cutOff, roleArn, policy])).map(deniedSessionOf),
    async reportRepair(policy, missing) {
      await run(REPORT_REPAIR, [roleArn, policy, missing])
    },
  }
}
