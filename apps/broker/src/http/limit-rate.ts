import { MayflyError } from '@mayfly/core'
import { rateLimit } from 'express-rate-limit'
import type { RequestHandler } from 'express'

/**
 * Per address and per broker, and before any signature is checked: what it protects is the work of
 * checking signatures (R115).
 */
export function limitRate(perMinute: number): RequestHandler {
  return rateLimit({
    windowMs: 60_000,
    limit: perMinute,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    // Whether forwarded addresses count is decided by TRUST_PROXY, not guessed from headers.
    validate: { xForwardedForHeader: false, forwardedHeader: false },
    handler: (req, _res, next) => {
      next(
        new MayflyError('rate_limited', 'this address sends too many requests', {
          retryable: true,
          retryAfterSeconds: secondsUntil(resetOf(req)),
        }),
      )
    },
  })
}

function resetOf(req: object): Date | undefined {
  const info = 'rateLimit' in req ? req.rateLimit : undefined
  if (typeof info !== 'object' || info === null || !('resetTime' in info)) return undefined
  return info.resetTime instanceof Date ? info.resetTime : undefined
}

function secondsUntil(reset: Date | undefined): number {
  return reset ? Math.max(1, Math.ceil((reset.getTime() - Date.now()) / 1000)) : 60
}
