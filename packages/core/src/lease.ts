import { MayflyError } from './errors.ts'
import type { Json } from './json.ts'
import type { ParameterValue } from './template.ts'
import type { ProviderName } from './provider.ts'

/**
 * The life of one minted credential.
 *
 *     pending ──► failed                      the provider refused: nothing was minted
 *        │
 *        ├─────► revoking                     no answer, or a crash: revoke by the handle we chose
 *        ▼
 *     active ──► revoking ──► revoked         verified dead
 *        │          │ ▲
 *        │          ▼ │ retry, as long as the credential may live
 *        │       revocation_failed ─► expired the provider's own clock ran out
 *        └──────► expired                     likewise, with no revocation tried
 *
 * A lease is stored as `pending` before the provider is called, so a crash at any instant leaves a
 * row that says what may exist upstream. Terminal states have no way out: a lease is never reused.
 */
export type LeaseState =
  'pending' | 'active' | 'revoking' | 'revocation_failed' | 'failed' | 'revoked' | 'expired'

export const LEASE_TRANSITIONS: Readonly<Record<LeaseState, readonly LeaseState[]>> = {
  pending: ['active', 'failed', 'revoking'],
  active: ['revoking', 'expired'],
  revoking: ['revoked', 'revocation_failed'],
  revocation_failed: ['revoking', 'expired'],
  failed: [],
  revoked: [],
  expired: [],
}

/**
 * Why a lease ended. `lease_ended` is the ordinary one: its time was up. `role_revoked`: every
 * session of its AWS role had to be denied in order to revoke another one.
 */
export type EndReason =
  | 'lease_ended'
  | 'holder'
  | 'task_closed'
  | 'undelivered'
  | 'mint_unconfirmed'
  | 'overbroad'
  | 'operator'
  /** Its credential was found where it should not be. */
  | 'leaked'
  | 'role_revoked'
  | 'containment'
  /** Its credential turned out to reach what had been frozen while it was minted. */
  | 'frozen'

export interface Lease {
  readonly id: string
  readonly taskId: string
  readonly agent: string
  readonly owner: string
  readonly environment: string
  /** `<issuer>#<sub>` of the verified token. */
  readonly subject: string
  readonly provider: ProviderName
  readonly connection: string
  readonly template: string
  readonly templateVersion: number
  readonly policySetVersion: number
  readonly decisionId: string
  readonly actions: readonly string[]
  readonly parameters: Readonly<Record<string, ParameterValue>>
  readonly scope: Json
  readonly targets: readonly string[]
  readonly requestedTtlSeconds: number
  readonly state: LeaseState
  readonly createdAt: Date
  /** When the broker ends the lease. Ours to choose. */
  readonly expiresAt: Date
  /** When the credential dies by itself. Theirs: a GitHub token always lives an hour. */
  readonly credentialExpiresAt: Date
  readonly deliveredAt: Date | null
  /** When the lease stopped being wanted: `expiresAt`, or earlier when somebody ended it. */
  readonly endedAt: Date | null
  readonly endReason: EndReason | null
  readonly revokedAt: Date | null
  /** What the provider answered that proved the credential dead. */
  readonly revocationProof: string | null
  readonly revocationAttempts: number
  /** The last thing that stood in the way of revocation, for people. Never provider text. */
  readonly revocationNote: string | null
  /** Set when nothing we can send will kill the credential early. */
  readonly irrevocable: Irrevocable | null
}

export interface Irrevocable {
  readonly reason: string
  readonly diesAt: Date
}

/** Throws `lease_transition_illegal` unless the table above has the edge. */
export function assertTransition(leaseId: string, from: LeaseState, to: LeaseState): void {
  if (LEASE_TRANSITIONS[from].includes(to)) return
  throw new MayflyError(
    'lease_transition_illegal',
    `lease ${leaseId} cannot go from ${from} to ${to}`,
    {
      details: { leaseId, from, to },
    },
  )
}

/** The states that may go to `to`: the `where` of a compare-and-set. */
export function statesBefore(to: LeaseState): readonly LeaseState[] {
  return (Object.keys(LEASE_TRANSITIONS) as LeaseState[]).filter((from) =>
    LEASE_TRANSITIONS[from].includes(to),
  )
}

export function isTerminal(state: LeaseState): boolean {
  return LEASE_TRANSITIONS[state].length === 0
}

/** True while the credential may still work upstream; such leases are revoked, never forgotten. */
export function mayBeLive(lease: Pick<Lease, 'state' | 'credentialExpiresAt'>, now: Date): boolean {
  return !isTerminal(lease.state) && lease.credentialExpiresAt > now
}
