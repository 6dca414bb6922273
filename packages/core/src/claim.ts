import type { Irrevocable, Lease } from './lease.ts'
import type { RevocationHandle } from './provider.ts'

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
