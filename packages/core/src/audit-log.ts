import type { Decision } from './decision.ts'
import type { JsonObject } from './json.ts'
import type { Task } from './task.ts'

/** Events that have no effect of their own: refusals and failed authentication. */
export interface AuditLog {
  record(event: AuditEvent): Promise<void>
  /** Stores a denial together with its event. */
  refuse(decision: Extract<Decision, { allowed: false }>, task: Task): Promise<void>
}

export interface AuditEvent {
  readonly type: AuditEventType
  readonly subject?: string
  readonly agent?: string
  readonly taskId?: string
  readonly leaseId?: string
  readonly decisionId?: string
  readonly data: JsonObject
}

export type AuditEventType =
  | 'authentication.refused'
  | 'task.opened'
  | 'task.renewed'
  | 'task.closed'
  | 'decision.denied'
  | 'lease.pending'
  | 'lease.active'
  | 'lease.failed'
  | 'lease.surrendered'
  | 'lease.delivered'
  | 'lease.ended'
  | 'lease.revoking'
  | 'lease.revoked'
  | 'lease.revocation_failed'
  | 'lease.expired'
  | 'aws.deny_policy_repaired'
  | 'aws.role_revoked'
  | 'freeze.created'
  | 'freeze.lifted'
  | 'containment.started'
  | 'containment.cancelled'
  | 'policy_set.applied'
  | 'policy_set.refused'
  | 'leak.reported'
  | 'security_event.received'
  | 'security_event.finished'
  | 'webhook.failing'
  | 'webhook.recovered'
