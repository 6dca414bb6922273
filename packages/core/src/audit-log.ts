import type { AuditEventType } from './audit-events.ts'
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
