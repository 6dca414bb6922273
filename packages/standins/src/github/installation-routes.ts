import { Router } from 'express'

import { installationOf, tokenOf } from './installation-authentication.ts'
import { repositoryBody } from './replies.ts'
import type { World } from './world.ts'

/** The endpoints in which an installation token speaks of itself. */
export function installationRoutes(world: World): Router {
  const routes = Router()
  routes.delete('/installation/token', (_request, response) => {
    world.tokens.revoke(tokenOf(response).token)
    response.status(204).end()
  })
  routes.get('/installation/repositories', (request, response) => {
    const token = tokenOf(response)
    const reachable = installationOf(response).repositories.filter(({ id }) =>
      token.repositoryIds.includes(id),
    )
    const perPage = Math.min(Number(request.query['per_page'] ?? 30), 100)
    response.json({
      total_count: reachable.length,
      repository_selection: token.repositorySelection,
      repositories: reachable.slice(0, perPage).map(repositoryBody),
    })
  })
  return routes
}
