import type { Json, Report } from '@mayfly/core'
import { z } from 'zod'

import type { Database, Session, Statement } from './database.ts'
import {
  policySetOf,
  rowSchema,
  versioned,
  type PolicySetRow,
  type StoredPolicySet,
} from './policy-set-row.ts'
import { startPolicySubscription, type PolicySubscription } from './policy-subscription.ts'

export interface PolicySetApplication {
  /** Validated before. */
  readonly documents: readonly Json[]
  readonly digest: string
  /** `<issuer>#<sub>` of the operator. */
  readonly appliedBy: string
}

export interface PolicySetStore {
  current(): Promise<StoredPolicySet | null>
  load(version: number): Promise<StoredPolicySet | null>
  /**
   * Puts a set in force for every broker, in one transaction. With the digest of the set in force
   * it changes nothing (`applied: false`).
   */
  apply(
    application: PolicySetApplication,
  ): Promise<{ applied: boolean; policySet: StoredPolicySet }>
  /**
   * Calls `changed` with the set in force, once before it resolves (when there is a set) and then
   * within a second of every change. What `changed` throws is reported, and the set passed over.
   */
  subscribe(changed: (policySet: StoredPolicySet) => void): Promise<PolicySubscription>
}

export interface PolicySetStoreOptions {
  readonly database: Database
  /** For a session of its own that listens. */
  readonly connectionString: string
  readonly report: Report
}

const POLICY_CHANNEL = 'mayfly_policy'

const COLUMNS = 'version, digest, resources, applied_by AS "appliedBy", applied_at AS "appliedAt"'

const CURRENT = {
  name: 'current_policy_set',
  text: `SELECT ${COLUMNS} FROM policy_sets ORDER BY version DESC LIMIT 1`,
}

const LOAD = {
  name: 'load_policy_set',
  text: `SELECT ${COLUMNS} FROM policy_sets WHERE version = $1`,
}

const LOCK = { name: 'lock_policy_sets', text: 'SELECT pg_advisory_xact_lock(19786, 0)' }

const APPLY = {
  name: 'apply_policy_set',
  text: `
    WITH policy_set AS (
      INSERT INTO policy_sets (version, digest, resources, applied_by) VALUES ($1, $2, $3, $4)
        RETURNING *
    ), event AS (
      INSERT INTO audit_events (type, subject, data)
        SELECT 'policy_set.applied', applied_by,
          jsonb_build_object('version', version, 'digest', digest) FROM policy_set
    ), notice AS (
      SELECT pg_notify('${POLICY_CHANNEL}', version::text) FROM policy_set
    )
    SELECT ${COLUMNS} FROM policy_set, notice`,
}

const LATEST = {
  name: 'latest_policy_set',
  text: 'SELECT coalesce(max(version), 0) AS version FROM policy_sets',
}

const latestSchema = z.tuple([z.object({ version: z.int() })])

export function makePolicySetStore(options: PolicySetStoreOptions): PolicySetStore {
  const { database, connectionString, report } = options

  async function current(): Promise<StoredPolicySet | null> {
    const row = await readRow(database, CURRENT, [])
    return row && policySetOf(row)
  }

  async function latestVersion(): Promise<number> {
    const [latest] = latestSchema.parse(await database.rows(LATEST, []))
    return latest.version
  }

  return {
    current,
    async load(version) {
      const row = await readRow(database, LOAD, [version])
      return row && policySetOf(row)
    },
    apply: (application) =>
      database.transaction(async (session) => {
        await session.rows(LOCK, [])
        const replaced = await readRow(session, CURRENT, [])
        if (replaced?.digest === application.digest)
          return { applied: false, policySet: policySetOf(replaced) }
        const version = (replaced?.version ?? 0) + 1
        const resources = versioned(application.documents, version, replaced?.resources ?? [])
        const values = [
          version,
          application.digest,
          JSON.stringify(resources),
          application.appliedBy,
        ]
        const row = await readRow(session, APPLY, values)
        if (!row) throw new Error('an inserted policy set was not returned')
        return { applied: true, policySet: policySetOf(row) }
      }),
    subscribe: (changed) =>
      startPolicySubscription({
        latestVersion,
        current,
        changed,
        connectionString,
        channel: POLICY_CHANNEL,
        report,
      }),
  }
}

async function readRow(
  session: Session,
  statement: Statement,
  values: readonly unknown[],
): Promise<PolicySetRow | null> {
  const [row] = await session.rows(statement, values)
  return row === undefined ? null : rowSchema.parse(row)
}
