import { MayflyError, type ErrorCode, type MayflyErrorOptions } from './errors.ts'
import type { Json } from './json.ts'
import type { Secret } from './secret.ts'

export type ProviderName = 'github' | 'aws' | 'vault'

/**
 * A system that can mint short-lived credentials: one GitHub, AWS partition or Vault.
 *
 * A provider keeps no state and knows nothing of tasks, policies or HTTP. It fails with
 * `provider_rejected` (final), `provider_throttled` or `provider_unavailable` (retry later).
 */
export interface CredentialProvider {
  readonly name: ProviderName

  /**
   * Checks a rendered scope and returns what is needed to mint it. Throws `scope_invalid` here,
   * before anything has been stored or sent.
   */
  prepare(scope: Json): Prepared

  /**
   * Makes the credential stop working. Idempotent: revoking twice, or revoking something already
   * gone upstream, resolves. `now` is the instant that the caller takes for now: the process's own
   * clock can be minutes off, and what is not due by it would be left alone.
   */
  revoke(handle: RevocationHandle, signal: AbortSignal, now: Date): Promise<void>

  /** Asks the provider whether the credential is dead. Only `dead: true` may be called revoked. */
  verifyDead(handle: RevocationHandle, sent: RevocationSent, signal: AbortSignal): Promise<Death>
}

export interface Prepared {
  /**
   * What the credential can reach, normalised and lower-cased where the provider ignores case:
   * `github:repo:acme/payments`, `github:org:acme`, `aws:role:arn:aws:iam::123456789012:role/x`,
   * `aws:account:123456789012`, `vault:path:kv/data/app`.
   */
  readonly targets: readonly string[]

  /** The longest that the credential can work upstream, whatever happens to us. In seconds. */
  lifetimeSeconds(ttlSeconds: number): number

  /**
   * The handle that can be chosen before the call, so that a mint whose response was lost can still
   * be revoked. `null` where the provider offers none (GitHub).
   */
  handleBeforeMint(leaseId: string): RevocationHandle | null

  mint(request: MintRequest, signal: AbortSignal): Promise<Minted>
}

export interface MintRequest {
  /** Sent upstream as session name, metadata or tag, so that provider-side logs join with ours. */
  readonly leaseId: string
  readonly taskId: string
  readonly agent: string
  readonly owner: string
  readonly template: string
  readonly ttlSeconds: number
  /** The lease's end, for providers that can put it into the credential. */
  readonly expiresAt: Date
  /**
   * The instant that the caller takes for now, from which a life that the provider tells in seconds
   * is counted. Without it, the process's own clock must do, which can be minutes off.
   */
  readonly now?: Date
}

export interface Minted {
  /** Plain strings may be shown (a user name, a region); every {@link Secret} is fingerprinted. */
  readonly credential: Credential
  /** When the credential dies by itself, in the provider's own words. */
  readonly credentialExpiresAt: Date
  readonly handle: RevocationHandle
  /**
   * What the provider says that the credential reaches, in the form of {@link Prepared.targets},
   * where its answer tells more than the request did.
   */
  readonly reached?: readonly string[]
}

export type Credential = Readonly<Record<string, Secret | string>>

/**
 * What the provider will need in order to revoke, as text of its own making. It can be the
 * credential itself (GitHub revokes a token with that token), so it is sealed at rest.
 */
export type RevocationHandle = Secret

export interface RevocationSent {
  readonly leaseId: string
  /**
   * When {@link CredentialProvider.revoke} first resolved for this lease, or the later instant that
   * the provider has named since ({@link Death}).
   */
  readonly sentAt: Date
  /** The instant that the caller takes for now. */
  readonly now: Date
}

export type Death =
  | { readonly dead: true; readonly proof: string }
  /** Not yet, and nothing is wrong: ask again at `retryAt` (IAM is still propagating). */
  | {
      readonly dead: false
      readonly reason: string
      readonly retryAt: Date
      /** Since when the revocation stands, where the provider knows: it can have been undone and repeated. */
      readonly sentAt?: Date
    }

/**
 * A mint that failed. `effect` says what may exist upstream: `none` when the provider refused or
 * was never reached, `unknown` when the request was sent and no usable answer came.
 */
export class MintError extends MayflyError {
  override readonly name: string = 'MintError'
  readonly effect: 'none' | 'unknown'

  constructor(
    effect: 'none' | 'unknown',
    code: ErrorCode,
    message: string,
    options: MayflyErrorOptions = {},
  ) {
    super(code, message, options)
    this.effect = effect
  }
}

/** The provider minted something that must not be handed out: wider than asked, or unreadable. */
export class UnacceptableMintError extends MayflyError {
  override readonly name: string = 'UnacceptableMintError'
  readonly minted: Minted

  constructor(minted: Minted, message: string, options: MayflyErrorOptions = {}) {
    super('provider_overbroad', message, options)
    this.minted = minted
  }
}
