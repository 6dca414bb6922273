import type { Claim, ClaimedLease, ClaimedMany, ClaimMany, Settlement } from './claim.ts'
import type { Decision } from './decision.ts'
import type { ErrorCode } from './errors.ts'
import type { Idempotency } from './idempotency.ts'
import type { EndReason, Lease } from './lease.ts'
import type { CredentialProvider, RevocationHandle } from './provider.ts'
import type { TemplateLimits } from './resources.ts'
import type { Selector } from './selector.ts'
import type { Task } from './task.ts'

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
  /** As it was opened. */
  readonly lease: Lease
  readonly credentialExpiresAt: Date
  readonly handle: RevocationHandle
  /** What the credential reaches beyond the targets that the lease was opened with. */
  readonly reached?: readonly string[]
  /** Base64 SHA-256 of each secret part: joins the provider's audit log, finds leaked tokens. */
  readonly fingerprints: readonly string[]
  /** Delivery not confirmed this long after activation means revocation. */
  readonly deliveryDeadlineSeconds: number
}

export interface LeaseFilter {
  readonly taskId?: string
  readonly target?: string
  /** In its one spelling. */
  readonly selector?: Selector
  readonly live?: boolean
  readonly limit: number
}
