import type { ReadinessResponse } from '@mayfly/protocol'
import { Router } from 'express'

import type { BrokerMetrics } from '../metrics.ts'
import { routed } from './routed.ts'

export interface HealthRoutesDeps {
  readonly checks: () => Promise<ReadinessResponse['checks']>
  readonly metrics: Pick<BrokerMetrics, 'render'>
}

export function healthRoutes(deps: HealthRoutesDeps): Router {
  const router = Router()

  router.get('/healthz', routed, (_req, res) => {
    res.json({ status: 'ok' })
  })

  router.get('/readyz', routed, async (_req, res) => {
    const checks = await deps.checks()
    const ready = Object.values(checks).every((check) => check === 'ok')
    res.status(ready ? 200 : 503).json({ status: ready ? 'ready' : 'not_ready', checks })
  })

  router.get('/metrics', routed, async (_req, res) => {
    const { contentType, text } = await deps.metrics.render()
    res.set('content-type', contentType).end(text)
  })

  return router
}
