import type { TaskTokens } from '@mayfly/identity'
import type { OpenApiDocument } from '@mayfly/protocol'
import { Router } from 'express'

import { routed } from './routed.ts'

export interface WellKnownRoutesDeps {
  readonly openApi: OpenApiDocument
  readonly taskTokens: Pick<TaskTokens, 'jwks'>
}

export function wellKnownRoutes(deps: WellKnownRoutesDeps): Router {
  const router = Router()

  router.get('/openapi.json', routed, (_req, res) => {
    res.json(deps.openApi)
  })

  router.get('/.well-known/jwks.json', routed, async (_req, res) => {
    // Shorter than a new key is published before anybody meets a token of it again.
    res.set('cache-control', 'public, max-age=60')
    res.set('content-type', 'application/jwk-set+json')
    res.end(JSON.stringify(await deps.taskTokens.jwks()))
  })

  return router
}
