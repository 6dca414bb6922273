import type { Request, RequestHandler, Response } from 'express'

import type { RepositoryContents } from './contents.ts'
import { tokenOf } from './installation-authentication.ts'
import { covers, type Repository } from './installation.ts'
import { notAccessible, notFound } from './replies.ts'
import { findRepository, type World } from './world.ts'

export interface Need {
  readonly permission: string
  readonly level: 'read' | 'write'
}

/**
 * Lets a request through when its token reaches the repository and has the permission. As on
 * GitHub, a private repository outside the token does not exist, and a missing permission says so.
 */
export function needs(world: World, need: Need): RequestHandler {
  return (request, response, next) => {
    const { permission, level } = need
    response.set('x-accepted-github-permissions', `${permission}=${level}`)
    const token = tokenOf(response)
    const fullName = `${String(request.params['owner'])}/${String(request.params['repo'])}`
    const found = findRepository(world, fullName)
    const inside = found !== undefined && token.repositoryIds.includes(found.repository.id)
    if (!found || (!inside && found.repository.private)) {
      notFound(response)
      return
    }
    if (!allowed({ inside, permissions: token.permissions }, need)) {
      notAccessible(response)
      return
    }
    response.locals['repository'] = found.repository
    response.locals['contents'] = world.contentsOf(found.repository)
    next()
  }
}

function allowed(
  { inside, permissions }: { inside: boolean; permissions: Readonly<Record<string, string>> },
  { permission, level }: Need,
): boolean {
  // Anybody may read a public repository.
  if (!inside) return level === 'read'
  return covers(permissions[permission], level)
}

export function repositoryOf(response: Response): Repository {
  return response.locals['repository'] as Repository // needs() put it there
}

export function contentsOf(response: Response): RepositoryContents {
  return response.locals['contents'] as RepositoryContents // needs() put it there
}

/** The rest of a path: Express gives it in pieces. */
export function restOf(request: Request): string {
  const rest: unknown = request.params['path']
  return Array.isArray(rest) ? rest.join('/') : String(rest)
}
