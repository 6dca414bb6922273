import type { RequestHandler } from 'express'

/** This is an API: nothing of it is to be kept, framed, sniffed or run. */
export const securityHeaders: RequestHandler = (req, res, next) => {
  res.set({
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'cross-origin-resource-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    ...(req.secure && { 'strict-transport-security': 'max-age=31536000' }),
  })
  next()
}
