import type { Decision } from './decision.ts'
import type { ErrorCode } from './errors.ts'
import type { VerifiedToken } from './identity.ts'
import type { JsonObject } from './json.ts'
import type { EndReason, Irrevocable, Lease } from './lease.ts'
import type { CredentialProvider, RevocationHandle } from './provider.ts'
import type { TemplateLimits } from './resources.ts'
import type { Declaration, Intent, Task } from './task.ts'

export interface Clock {
  now(): Date
}

export type IdPrefix = 'tsk' | 'lea' | 'dec' | 'req' | 'evt' | 'frz' | 'cnt'
export type NewId = (prefix: IdPrefix) => string

/** Makes the same request safe to send twice. The digest covers the body and the caller. */
export interface Idempotency {
  readonly key: string
  readonly requestSha256: string
}

/**
 * The lease table. Every method is one transaction that also writes its audit event. Instants come
 * from the database's clock, so that brokers and workers need not agree on the time.
 *
 * `dueAt` (not on {@link Lease}) is when a lease next needs attention; the sweeper reads nothing
 * else. Pending: the mint deadline. Active: the delivery deadline until delivered, then `expiresAt`.
 * Revoking: the claim's end. Failed revocation: the next attempt. Terminal: null.
 */
export interface LeaseStore {
  /**
   * Commits the intent: lease `pending`, its decision and audit event, after checking under lock
   * that the task is open and its limits hold. Throws `task_closed`, `limit_reached`, `frozen`,
   * `idempotency_conflict` or `credential_already_delivered`.
   */
  open(intent: LeaseIntent): Promise<Lease>
  /**
   * Compare-and-set `pending → active`. Throws `lease_transition_illegal` if somebody was first, or
   * if the lease was ended while its credential was being minted; `frozen` if a freeze selects what
   * the credential turned out to reach.
   */
  activate(activation: Activation): Promise<Lease>
  /** `pending → failed`: the provider refused, so nothing exists upstream. */
  fail(leaseId: string, code: ErrorCode): Promise<void>
  /**
   * The mint came back but must not be used (the lease was ended meanwhile, or it is too wide): keeps
   * the handle, clears `irrevocable`, ends the lease and makes it due now. A lease that is already
   * terminal stays so (`false`): then the caller must kill the credential itself.
   */
  surrender(activation: Activation, reason: EndReason): Promise<boolean>
  /** The response was written in full. Batched by the adapter; loss means revocation, never a leak. */
  delivered(leaseId: string): void
  /**
   * Ends a live lease early: `endedAt` becomes now, and so does `dueAt` of an active one. A pending
   * one keeps its mint deadline as `dueAt`: the credential may be made at this very moment, and
   * nothing can be proven dead before that is over. No effect on a lease already ending.
   */
  end(leaseId: string, reason: EndReason): Promise<Lease>
  /**
   * Takes the lease for revocation if it is due, `→ revoking`, for `visibilitySeconds`. Exactly one
   * of many racing callers gets it. One whose credential outlived its own clock (`active` or
   * `revocation_failed`, a minute past `credentialExpiresAt`) goes to `expired` instead.
   */
  claim(leaseId: string, visibilitySeconds: number): Promise<Claim>
  /**
   * {@link claim} for up to `limit` leases that are due, the longest overdue first, but none that
   * another worker is claiming at this moment and none of the connections in `except`.
   */
  claimMany(claim: ClaimMany): Promise<ClaimedMany>
  /** Ends the claim. Has no effect (returns false) when the claim was lost to another worker. */
  settle(claimed: ClaimedLease, settlement: Settlement): Promise<boolean>
  find(leaseId: string): Promise<Lease | null>
  list(filter: LeaseFilter): Promise<readonly Lease[]>
  /** Ids of leases whose `dueAt` has passed, oldest first. */
  due(limit: number): Promise<readonly string[]>
}

export interface LeaseIntent {
  readonly leaseId: string
  readonly task: Task
  readonly decision: Extract<Decision, { allowed: true }>
  readonly provider: CredentialProvider['name']
  readonly connection: string
  readonly targets: readonly string[]
  readonly requestedTtlSeconds: number
  /** Upper bound of the credential's own life, counted from now. */
  readonly lifetimeSeconds: number
  /** After this long in `pending`, the lease is taken for lost and revoked. */
  readonly mintDeadlineSeconds: number
  readonly handle: RevocationHandle | null
  readonly limits: TemplateLimits
  readonly idempotency: Idempotency | null
}

export interface Activation {
  readonly leaseId: string
  /** Sealed into the handle, so that it opens for this lease at this provider only (R117). */
  readonly provider: CredentialProvider['name']
  readonly credentialExpiresAt: Date
  readonly handle: RevocationHandle
  /** What the credential reaches beyond the targets that the lease was opened with. */
  readonly reached?: readonly string[]
  /** Base64 SHA-256 of each secret part: joins the provider's audit log, finds leaked tokens. */
  readonly fingerprints: readonly string[]
  /** Delivery not confirmed this long after activation means revocation. */
  readonly deliveryDeadlineSeconds: number
}

export type Claim =
  | { readonly outcome: 'claimed'; readonly claimed: ClaimedLease }
  /** Somebody wanted it too early: `dueAt` is when. */
  | { readonly outcome: 'not_due'; readonly dueAt: Date }
  /** Unknown, terminal, held by another worker, or just found `expired` on the provider's clock. */
  | { readonly outcome: 'nothing_to_do' }

export interface ClaimMany {
  readonly limit: number
  readonly visibilitySeconds: number
  readonly except: readonly string[]
}

export interface ClaimedMany {
  readonly claimed: readonly ClaimedLease[]
  /** Leases that were taken and need no revoking: they went to `expired`. */
  readonly expired: number
}

export interface ClaimedLease {
  readonly lease: Lease
  readonly handle: RevocationHandle | null
  /** Fencing: a settlement must carry the attempt that claimed. */
  readonly attempt: number
  /** The state it was claimed from. */
  readonly from: Lease['state']
  /** Since when the revocation stands at the provider, if it does. */
  readonly sentAt: Date | null
  /** The database's now. */
  readonly now: Date
}

export type Settlement =
  | { readonly to: 'revoked'; readonly proof: string }
  /** Revocation was sent and the provider needs time: stays `revoking`, due at `retryAt`. */
  | {
      readonly to: 'propagating'
      readonly note: string
      readonly retryAt: Date
      /** Since when the revocation stands; comes back as {@link ClaimedLease.sentAt}. */
      readonly sentAt: Date
    }
  | {
      readonly to: 'revocation_failed'
      readonly note: string
      readonly retryAt: Date
      readonly irrevocable?: Irrevocable
    }

export interface LeaseFilter {
  readonly taskId?: string
  readonly agent?: string
  readonly target?: string
  readonly live?: boolean
  readonly limit: number
}

export interface TaskStore {
  /**
   * Records the task and the use of its workload token. Throws `token_replayed` when another task
   * used the token, `idempotency_conflict` for the same key with another body. The same key and
   * body give the task that exists.
   */
  open(task: NewTask): Promise<Task>
  find(taskId: string): Promise<Task | null>
  /** A fresh workload token of the same subject goes on with the task. Throws `token_replayed`. */
  renew(taskId: string, token: VerifiedToken): Promise<Task>
  /** Closes the task and ends every live lease in it, in one transaction. Idempotent. */
  close(taskId: string, reason: 'holder' | 'overdue' | 'operator'): Promise<ClosedTask>
  /** Ids of open tasks whose `notAfter` has passed. */
  overdue(limit: number): Promise<readonly string[]>
}

export interface NewTask {
  readonly id: string
  readonly token: VerifiedToken
  readonly agent: string
  readonly owner: string
  readonly environment: string
  readonly intent: Intent
  readonly declarations: readonly Declaration[]
  readonly lifetimeSeconds: number
  readonly idempotency: Idempotency | null
}

export interface ClosedTask {
  readonly task: Task
  /** Leases that are due now because of it. */
  readonly leaseIds: readonly string[]
}

/** The alarm clock. Losing it costs punctuality, never a revocation. */
export interface RevocationQueue {
  /** Wakes a worker for this lease at `at`. */
  schedule(leaseId: string, at: Date): Promise<void>
}

/** The provider behind a connection, as of a policy set. */
export interface Providers {
  /**
   * The named connection of the set in force, or of the pinned set when it is gone since. Throws
   * `provider_unavailable` when neither has it.
   */
  get(connection: string, pinnedPolicySetVersion: number): Promise<CredentialProvider>
}

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

/**
 * What is known of the Denies on AWS roles. Writers of one role's deny policies go one at a time,
 * and each writes for everybody, so what one of them wrote is remembered for the others.
 */
export interface DeniedSessions {
  /** Null for a lease that does not exist. */
  find(leaseId: string): Promise<DeniedSession | null>
  /**
   * The Deny of this session was found missing: nothing is proven until it is written again. No
   * effect when it has been, after `since`.
   */
  forget(leaseId: string, since: Date): Promise<void>
  /** Runs `work` while nobody else changes the role's deny policies. */
  underRoleLock<Result>(
    roleArn: string,
    work: (denials: RoleDenials) => Promise<Result>,
  ): Promise<Result>
}

export interface DeniedSession {
  readonly leaseId: string
  /** The lease's end. The session policy ends with it, whether the mint was answered or not. */
  readonly sealedAt: Date
  /** Its mint may still be under way. */
  readonly pending: boolean
  readonly denial: Denial | null
}

/** Where a session is denied. */
export interface Denial {
  readonly policy: string
  /** When the last write that put the session there was answered, by the database's clock. */
  readonly since: Date
  /** Not this session by name, but every session of the role that was issued before. */
  readonly cutOff: Date | null
}

export interface RoleSessions {
  /** Of leases that ended before their time and whose session may work without a Deny. */
  readonly sessions: readonly DeniedSession[]
  readonly now: Date
}

/** The books of one role, open while its lock is held. */
export interface RoleDenials {
  read(): Promise<RoleSessions>
  /** Forgets what is known of these before they are written: a crash then leaves them unproven. */
  forget(leaseIds: readonly string[]): Promise<void>
  /** The policy with these sessions in it has been written just now. */
  record(written: {
    readonly policy: string
    readonly cutOff: Date | null
    readonly leaseIds: readonly string[]
  }): Promise<void>
  /**
   * Ends every live lease on the role that was opened before, because its session is about to be
   * denied with the others. One audit event names them all.
   */
  endOpenedBefore(cutOff: Date, policy: string): Promise<readonly DeniedSession[]>
  /** Somebody else had changed a policy that is Mayfly's own, and it was written anew. */
  reportRepair(policy: string, missing: readonly string[]): Promise<void>
}
