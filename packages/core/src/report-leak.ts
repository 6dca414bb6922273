import type { AuditLog } from './audit-log.ts'
import type { EndLease } from './end-lease.ts'
import type { JsonObject } from './json.ts'
import { isTerminal, type Lease } from './lease.ts'
import type { Report } from './report.ts'
import type { TaskStore } from './task-store.ts'
import type { Task } from './task.ts'

/** What the database remembers of a lease besides its row. */
export interface LeaseHistory {
  /** Leases whose credential has a part with this base64 SHA-256, oldest first. */
  withFingerprint(fingerprint: string): Promise<readonly Lease[]>
  /** The decision that allowed the lease, and its audit events, oldest first. */
  of(lease: Lease): Promise<LeaseStory>
}

export interface LeaseStory {
  readonly decision: LeaseDecision
  readonly events: readonly LeaseEvent[]
}

export interface LeaseDecision {
  readonly id: string
  readonly decidedAt: Date
  /** `@id`s of the permits that carried it. */
  readonly policies: readonly string[]
  readonly policyDigest: string
  readonly policySetVersion: number
}

export interface LeaseEvent {
  readonly at: Date
  readonly type: string
  readonly subject: string | null
  readonly facts: JsonObject
}

/** Where the leak stands, in words that never say dead of what may be live. */
export type LeakOutcome = 'dead_before' | 'dead_now' | 'may_be_live'

export interface LeakedLease extends LeaseStory {
  readonly outcome: LeakOutcome
  readonly lease: Lease
  readonly task: Task | null
}

export interface LeakReport {
  /** Base64 SHA-256 of what was found. The thing itself goes no further than its hash. */
  readonly fingerprint: string
  /** `<issuer>#<sub>` of the operator. */
  readonly reporter: string
}

export interface ReportLeakDeps {
  readonly history: LeaseHistory
  readonly tasks: Pick<TaskStore, 'find'>
  readonly endLease: EndLease
  readonly audit: Pick<AuditLog, 'record'>
  readonly report: Report
}

export type ReportLeak = (leak: LeakReport, signal: AbortSignal) => Promise<readonly LeakedLease[]>

/**
 * Finds the lease of a credential that turned up where it should not be, ends and revokes it, and
 * tells its story. Empty when Mayfly never issued it. Nothing of the input is stored.
 */
export function makeReportLeak(deps: ReportLeakDeps): ReportLeak {
  return async ({ fingerprint, reporter }, signal) => {
    const leases = await deps.history.withFingerprint(fingerprint)
    await recordLeak(deps, reporter, leases)
    return Promise.all(leases.map((lease) => killAndTell(deps, lease, signal)))
  }
}

async function killAndTell(
  deps: ReportLeakDeps,
  before: Lease,
  signal: AbortSignal,
): Promise<LeakedLease> {
  const wasDead = isTerminal(before.state)
  const lease = wasDead ? before : await deps.endLease(before.id, 'leaked', signal)
  const outcome = wasDead ? 'dead_before' : isTerminal(lease.state) ? 'dead_now' : 'may_be_live'
  const [task, story] = await Promise.all([deps.tasks.find(lease.taskId), deps.history.of(lease)])
  return { outcome, lease, task, ...story }
}

/** Who reported it comes before the effect. A revocation does not wait for the audit log to heal. */
async function recordLeak(
  { audit, report }: ReportLeakDeps,
  subject: string,
  leases: readonly Lease[],
): Promise<void> {
  const events =
    leases.length === 0
      ? [audit.record({ type: 'leak.reported', subject, data: { outcome: 'unknown' } })]
      : leases.map(({ id, taskId, agent, decisionId, state }) =>
          audit.record({
            type: 'leak.reported',
            subject,
            agent,
            taskId,
            leaseId: id,
            decisionId,
            data: { outcome: 'found', from: state },
          }),
        )
  await Promise.all(events).catch((error: unknown) => {
    report('a leak report could not be recorded', error)
  })
}
