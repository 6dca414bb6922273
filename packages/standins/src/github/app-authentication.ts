import type { RequestHandler, Response } from 'express'
import { decodeJwt, errors, jwtVerify, type JWTPayload } from 'jose'

import { refuse } from './replies.ts'
import type { App, World } from './world.ts'

const MAX_AGE_SECONDS = 600
const CLOCK_DRIFT_SECONDS = 60

/** Lets only a valid App JWT through: RS256, `iat` not in the future, `exp` within ten minutes. */
export function asApp(world: World): RequestHandler {
  return async (request, response, next) => {
    const jwt = /^Bearer (\S+)$/i.exec(request.get('authorization') ?? '')?.[1]
    if (jwt === undefined) {
      refuse(response, 401, 'Requires authentication')
      return
    }
    const checked = await check(world, jwt)
    if ('problem' in checked) {
      refuse(response, checked.status, checked.problem)
      return
    }
    response.locals['app'] = checked.app
    next()
  }
}

export function appOf(response: Response): App {
  return response.locals['app'] as App // asApp put it there
}

type Checked = { readonly app: App } | { readonly status: 401 | 404; readonly problem: string }

async function check(world: World, jwt: string): Promise<Checked> {
  const undecodable = { status: 401, problem: 'A JSON web token could not be decoded' } as const
  let claims: JWTPayload
  try {
    claims = decodeJwt(jwt)
  } catch {
    return undecodable
  }
  const app = world.apps.find(
    ({ appId, clientId }) => claims.iss === String(appId) || claims.iss === clientId,
  )
  if (!app) return { status: 404, problem: 'Integration not found' }
  try {
    await jwtVerify(jwt, app.key, {
      algorithms: ['RS256'],
      currentDate: world.clock.now(),
    })
  } catch (error) {
    if (error instanceof errors.JWTExpired) return { status: 401, problem: EXPIRED }
    return undecodable
  }
  const problem = problemWithTimes(claims, world.clock.now().getTime() / 1000)
  return problem === null ? { app } : { status: 401, problem }
}

const EXPIRED =
  "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires"

function problemWithTimes({ iat, exp }: JWTPayload, now: number): string | null {
  if (exp === undefined) return EXPIRED
  if (exp > now + MAX_AGE_SECONDS) return "'Expiration time' claim ('exp') is too far in the future"
  if (iat === undefined || iat > now + CLOCK_DRIFT_SECONDS)
    return "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
  return null
}
