import { MayflyError } from './errors.ts'

export interface RetryPolicy {
  readonly baseSeconds: number
  readonly capSeconds: number
  /** Uniform in [0, 1): spreads retries, so that a provider's recovery is not met by all at once. */
  readonly random: () => number
}

export interface FailedAttempt {
  /** 1 for the first. */
  readonly attempt: number
  readonly now: Date
  readonly error: unknown
}

/**
 * Exponential backoff, capped, with ±50 % jitter, and never sooner than the provider asked. There
 * is no last attempt: the database ends the retries when the credential has died by itself.
 */
export function retryAt(policy: RetryPolicy, failed: FailedAttempt): Date {
  const backoff = Math.min(
    policy.capSeconds,
    policy.baseSeconds * 2 ** Math.min(failed.attempt - 1, 30),
  )
  const jittered = backoff * (0.5 + policy.random())
  const asked = failed.error instanceof MayflyError ? (failed.error.retryAfterSeconds ?? 0) : 0
  return new Date(failed.now.getTime() + Math.max(jittered, asked) * 1000)
}
