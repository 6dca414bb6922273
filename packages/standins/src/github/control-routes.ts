import { Router } from 'express'

import { faultRequestSchema } from './faults.ts'
import { hashedToken } from './tokens.ts'
import type { World } from './world.ts'

/** The stand-in's own surface, for other processes; GitHub has nothing under `/_standin`. */
export function controlRoutes(world: World): Router {
  const routes = Router()
  routes.get('/_standin/issued', (_request, response) => {
    const now = world.clock.now()
    response.json(
      world.tokens.all().map(({ token, ...rest }) => ({
        ...rest,
        hashedToken: hashedToken(token),
        live: world.tokens.isLive({ token, ...rest }, now),
      })),
    )
  })
  routes.post('/_standin/faults', (request, response) => {
    const asked = faultRequestSchema.safeParse(request.body)
    if (!asked.success) {
      response.status(400).json({ error: 'invalid_request', issues: asked.error.issues })
      return
    }
    world.faults.next(asked.data.fault, asked.data.on)
    response.status(204).end()
  })
  routes.delete('/_standin/faults', (_request, response) => {
    world.faults.clear()
    response.status(204).end()
  })
  return routes
}
