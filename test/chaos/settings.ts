/**
 * The product's own settings, short enough to wait for. Each keeps its order: a provider's timeout is
 * less than half of the mint deadline, and a revocation's visibility outlasts an attempt.
 */
export const DEADLINES = {
  PROVIDER_TIMEOUT_MS: '2500',
  MINT_DEADLINE_SECONDS: '7',
  DELIVERY_DEADLINE_SECONDS: '3',
  REVOCATION_VISIBILITY_SECONDS: '11',
  REVOCATION_RETRY_CAP_SECONDS: '1',
  SWEEP_INTERVAL_MS: '200',
  WEBHOOK_ALLOWED_NETWORKS: '127.0.0.1/32',
  WEBHOOK_INTERVAL_MS: '200',
  WEBHOOK_TIMEOUT_MS: '1000',
  WEBHOOK_RETRY_BASE_SECONDS: '0.1',
  LOG_LEVEL: 'warn',
} as const

export const MINT_DEADLINE_MS = Number(DEADLINES.MINT_DEADLINE_SECONDS) * 1000

/** A claim of a worker that died ends after this long. */
export const VISIBILITY_MS = Number(DEADLINES.REVOCATION_VISIBILITY_SECONDS) * 1000

/** How long PostgreSQL stays away. */
export const OUTAGE_SECONDS = 30

/** A lease that nobody ends early lives this long. */
export const SHORT_TTL_SECONDS = 5

/** A lease that must be ended early for the matrix to be in time. */
export const LONG_TTL_SECONDS = 600

/**
 * The longest without a delivery: a webhook whose worker died waits for the end of its claim, which
 * is an attempt and twenty seconds, and what failed waits as long as its failures in a row make it.
 */
export const TOLD_WITHIN_MS = 90_000

/**
 * From the fault to the death of the last credential: the longest chain of deadlines that may have
 * to pass (a mint deadline, a claim that died with its worker, a few attempts), and two starts of a
 * process, for as long as this machine takes to make one.
 */
export function boundMs(startMs: number): number {
  return 35_000 + 2 * startMs
}
