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
