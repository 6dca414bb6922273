import { MayflyError } from '@mayfly/core'
import type { RequestHandler } from 'express'

/** PostgreSQL stores neither NUL nor half a surrogate pair, and what it refuses leaves no denial behind. */
export function isStorable(text: string): boolean {
  return !/[\0\p{Surrogate}]/u.test(text)
}

/** Refuses a NUL in a path or a query; broken encodings of anything else do not get through decoding. */
export const refuseNullBytes: RequestHandler = (req, _res, next) => {
  const refused = req.url.includes('%00')
  next(refused ? new MayflyError('invalid_request', 'the URL has a null byte') : undefined)
}
