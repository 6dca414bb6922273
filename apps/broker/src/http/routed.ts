import type { RequestHandler } from 'express'

import { contextOf } from './request-context.ts'

/** Notes which route was matched: first on every route, so that refusals are logged under it. */
export const routed: RequestHandler = (req, res, next) => {
  const route: unknown = req.route
  const path = typeof route === 'object' && route !== null && 'path' in route ? route.path : null
  contextOf(res).route = typeof path === 'string' ? path : null
  next()
}
