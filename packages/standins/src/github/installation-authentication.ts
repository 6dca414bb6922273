import type { Request, RequestHandler, Response } from 'express'

import type { Installation } from './installation.ts'
import { refuse } from './replies.ts'
import type { GithubIssuedToken } from './tokens.ts'
import type { World } from './world.ts'

/** Lets only a live installation token through, and counts it against the installation's limit. */
export function asInstallation(world: World): RequestHandler {
  const countRequest = makeRateLimit(world)
  return (request, response, next) => {
    const token = presented(request)
    if (token === undefined) {
      refuse(response, 401, 'Requires authentication')
      return
    }
    const found = world.tokens.find(token)
    if (!found || !world.tokens.isLive(found, world.clock.now())) {
      refuse(response, 401, 'Bad credentials')
      return
    }
    const installation = world.installations.find(({ id }) => id === found.installationId)
    if (installation?.suspendedAt !== null) {
      refuse(response, 403, 'This installation has been suspended')
      return
    }
    if (!countRequest(installation, response)) {
      const id = String(installation.id)
      refuse(response, 403, `API rate limit exceeded for installation ID ${id}.`)
      return
    }
    response.locals['token'] = found
    response.locals['installation'] = installation
    next()
  }
}

export function tokenOf(response: Response): GithubIssuedToken {
  return response.locals['token'] as GithubIssuedToken // asInstallation put it there
}

export function installationOf(response: Response): Installation {
  return response.locals['installation'] as Installation // asInstallation put it there
}

/** `Bearer` or `token`, or the password of Basic, which is how git sends it. */
function presented(request: Request): string | undefined {
  const [scheme, value] = (request.get('authorization') ?? '').split(' ')
  if (value === undefined) return undefined
  if (/^(bearer|token)$/i.test(scheme ?? '')) return value
  if (!/^basic$/i.test(scheme ?? '')) return undefined
  const [, ...password] = Buffer.from(value, 'base64').toString().split(':')
  return password.join(':')
}

function makeRateLimit({ clock, requestsPerHour }: World) {
  const windows = new Map<number, { used: number; readonly endsAt: number }>()
  return ({ id }: Installation, response: Response): boolean => {
    const now = Math.floor(clock.now().getTime() / 1000)
    let window = windows.get(id)
    if (!window || window.endsAt <= now) {
      window = { used: 0, endsAt: now + 3600 }
      windows.set(id, window)
    }
    const within = window.used < requestsPerHour
    if (within) window.used += 1
    response.set({
      'x-ratelimit-limit': String(requestsPerHour),
      'x-ratelimit-remaining': String(requestsPerHour - window.used),
      'x-ratelimit-used': String(window.used),
      'x-ratelimit-reset': String(window.endsAt),
      'x-ratelimit-resource': 'core',
    })
    return within
  }
}
