import type { Selector } from './selector.ts'

/** Stops issuing for what the selector matches, until it is lifted or its time is up. */
export interface Freeze {
  readonly id: string
  readonly selector: Selector
  readonly reason: string
  /** `<issuer>#<sub>` of the operator. */
  readonly createdBy: string
  readonly createdAt: Date
  readonly expiresAt: Date | null
  readonly liftedAt: Date | null
  readonly liftedBy: string | null
  readonly liftReason: string | null
  /** True while it refuses mints. */
  readonly inForce: boolean
  /** The containment that it belongs to. */
  readonly containmentId: string | null
}

export interface NewFreeze {
  readonly id: string
  readonly selector: Selector
  readonly reason: string
  readonly createdBy: string
  readonly expiresAt: Date | null
}

/** Who did something to a freeze or a containment, and why. */
export interface OperatorAct {
  readonly by: string
  readonly reason: string
}

export interface FreezeStore {
  /**
   * Once this resolves, no broker opens a lease that matches. Throws `freeze_expiry_invalid` for an
   * end that has passed.
   */
  create(freeze: NewFreeze): Promise<Freeze>
  /** The newest first. */
  list(filter: { readonly inForce?: boolean; readonly limit: number }): Promise<readonly Freeze[]>
  /** Throws `freeze_unknown`, or `freeze_over` when it was lifted before or its time is up. */
  lift(freezeId: string, act: OperatorAct): Promise<Freeze>
}
