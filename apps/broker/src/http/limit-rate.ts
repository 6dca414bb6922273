import { MayflyError } from '@mayfly/core'
import type { Request, RequestHandler, Response } from 'express'
import { rateLimit, type Options } from 'express-rate-limit'

/**
 * Per address and per broker, and before any signature is checked: what it protects is the work of
 * checking signatures (R115).
 */
export function limitRate(perMinute: number): RequestHandler {
  return limit(perMinute, 'this address sends too many requests')
}

/** Per caller, by the name that the route's guard has established, and per broker. */
export function limitCaller(
  perMinute: number,
  callerOf: (req: Request, res: Response) => string,
): RequestHandler {
  return limit(perMinute, 'you send too many of these requests', { keyGenerator: callerOf })
}

function limit(perMinute: number, message: string, more: Partial<Options> = {}): RequestHandler {
  return rateLimit({
    ...more,
    windowMs: 60_000,
    limit: perMinute,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    // Whether forwarded addresses count is decided by TRUST_PROXY, not guessed from headers.
    validate: { xForwardedForHeader: false, forwardedHeader: false },
    handler: (req, _res, next) => {
      next(
        new MayflyError('rate_limited', message, {
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
