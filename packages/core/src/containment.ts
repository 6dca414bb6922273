import type { OperatorAct } from './freeze.ts'
import type { Idempotency } from './idempotency.ts'
import type { Lease } from './lease.ts'
import type { Selector } from './selector.ts'

/**
 * What became of one lease in a containment. `queued`: ended, and waiting for a worker or for the
 * end of its mint. `spared`: the containment was cancelled before the lease's turn came.
 */
export type ContainedState =
  | 'queued'
  | 'propagating'
  | 'failed'
  | 'irrevocable'
  | 'revoked'
  | 'expired'
  | 'never_minted'
  | 'spared'

/**
 * `ending`: not all of its leases are ended yet. `revoking`: they are, and workers are at it.
 * `waiting`: nothing that is left can be killed before it dies by itself. `finished`: nothing of it
 * may be live.
 */
export type ContainmentState = 'ending' | 'revoking' | 'waiting' | 'finished' | 'cancelled'

/** A bulk revocation by selector. Where it stands is read from its leases each time. */
export interface Containment {
  readonly id: string
  readonly selector: Selector
  readonly reason: string
  readonly incident: string
  /** `<issuer>#<sub>` of the operator. */
  readonly startedBy: string
  readonly startedAt: Date
  readonly freezeId: string
  readonly frozen: boolean
  readonly state: ContainmentState
  readonly counts: Readonly<Record<ContainedState, number>>
  readonly total: number
  /** When the last of its credentials was dead. */
  readonly finishedAt: Date | null
  /** When the last one dies by itself, if nothing better comes of it. */
  readonly lastDiesAt: Date | null
  readonly cancelledAt: Date | null
  readonly cancelledBy: string | null
  readonly cancelReason: string | null
}

export interface ContainedLease {
  readonly lease: Lease
  readonly state: ContainedState
  /** When a worker will look at it (again). */
  readonly nextAttemptAt: Date | null
}

export interface NewContainment {
  readonly id: string
  readonly freezeId: string
  readonly selector: Selector
  readonly reason: string
  readonly incident: string
  readonly by: string
  readonly freezeUntil: Date | null
  readonly idempotency: Idempotency | null
}

/** How many leases are alike. */
export interface LeaseGroup extends Pick<Lease, 'provider' | 'agent' | 'state'> {
  readonly count: number
}

export interface ContainmentStore {
  /** Leases that match and may be live: up to `limit` of them, and all of them counted. */
  preview(
    selector: Selector,
    limit: number,
  ): Promise<{ readonly groups: readonly LeaseGroup[]; readonly leases: readonly Lease[] }>
  /**
   * Commits the freeze and the containment, and nothing else, so that it takes milliseconds. The
   * same request again, or one for the same selector and incident while that is still open, gives the
   * one that exists. Throws `selector_matches_nothing`, `freeze_expiry_invalid` or
   * `idempotency_conflict`, and then nothing has changed.
   */
  begin(asked: NewContainment): Promise<{ readonly id: string; readonly started: boolean }>
  /** Writes down which leases it is about: all that matched when it froze. Idempotent. */
  collect(containmentId: string): Promise<void>
  /** Ends some more of its leases and wakes the workers. Returns how many; 0 when none are left. */
  endSome(containmentId: string, limit: number): Promise<number>
  /** Ids of those whose leases are not all ended. */
  unended(): Promise<readonly string[]>
  find(containmentId: string): Promise<Containment | null>
  /** The newest first. */
  list(limit: number): Promise<readonly Containment[]>
  /** What may still be live comes first. */
  leases(containmentId: string, limit: number): Promise<readonly ContainedLease[]>
  /**
   * Lifts the freeze and ends no more leases; what is ended stays ended. Throws
   * `containment_unknown`, or `containment_finished`. Cancelling twice is once.
   */
  cancel(containmentId: string, act: OperatorAct): Promise<void>
}
