import type { JobsOptions } from 'bullmq'
import { z } from 'zod'

/** All that a job carries (R90, R118): everything else is read from the database when it fires. */
export const revocationJob = z.strictObject({
  leaseId: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
})

export const REVOCATIONS = 'revocations'

export interface RevocationAlarm {
  readonly leaseId: string
  readonly at: Date
}

export interface NewRevocationJob {
  readonly name: typeof REVOCATIONS
  readonly data: z.output<typeof revocationJob>
  readonly opts: JobsOptions
}

/** Throws for an id that is none. */
export function jobOf({ leaseId, at }: RevocationAlarm): NewRevocationJob {
  return {
    name: REVOCATIONS,
    data: revocationJob.parse({ leaseId }),
    opts: jobOptions(leaseId, at),
  }
}

/**
 * One job per lease and instant, so that scheduling twice is harmless and rescheduling is not
 * swallowed. BullMQ refuses ids that contain `:` or are plain integers.
 */
function jobOptions(leaseId: string, at: Date): JobsOptions {
  return {
    jobId: `${leaseId}-${String(at.getTime())}`,
    delay: Math.max(0, at.getTime() - Date.now()),
    // A finished job that stayed behind would silently swallow a later one with its id
    // (taskforcesh/bullmq#1662).
    removeOnComplete: true,
    removeOnFail: true,
    // For a database that is away for a moment. Retries of the revocation itself are the lease's
    // own business, and the sweeper is behind both.
    attempts: 3,
    backoff: { type: 'exponential', delay: 500, jitter: 0.5 },
    stackTraceLimit: 0,
  }
}
