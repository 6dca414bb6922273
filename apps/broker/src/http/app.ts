import type { Logger } from '@mayfly/runtime'
import express, { type Express } from 'express'

import type { BrokerMetrics } from '../metrics.ts'
import { accessLog } from './access-log.ts'
import { makeAuthenticate, type AuthenticateDeps } from './authenticate.ts'
import { containmentRoutes, type ContainmentRoutesDeps } from './containment-routes.ts'
import { freezeRoutes, type FreezeRoutesDeps } from './freeze-routes.ts'
import { healthRoutes, type HealthRoutesDeps } from './health-routes.ts'
import { jsonBody } from './json-body.ts'
import { leakRoutes, type LeakRoutesDeps } from './leak-routes.ts'
import { leaseRoutes, type LeaseRoutesDeps } from './lease-routes.ts'
import { limitRate } from './limit-rate.ts'
import { policySetRoutes, type PolicySetRoutesDeps } from './policy-set-routes.ts'
import { notFound, problemHandler } from './problem-handler.ts'
import { requestContext } from './request-context.ts'
import { securityEventRoutes, type SecurityEventRoutesDeps } from './security-event-routes.ts'
import { securityHeaders } from './security-headers.ts'
import { refuseNullBytes } from './storable-text.ts'
import { taskRoutes, type TaskRoutesDeps } from './task-routes.ts'
import { templateRoutes, type TemplateRoutesDeps } from './template-routes.ts'
import { traceRequest } from './trace-request.ts'
import { webhookRoutes, type WebhookRoutesDeps } from './webhook-routes.ts'
import { wellKnownRoutes, type WellKnownRoutesDeps } from './well-known-routes.ts'

export interface AppDeps
  extends
    AuthenticateDeps,
    ContainmentRoutesDeps,
    FreezeRoutesDeps,
    HealthRoutesDeps,
    LeakRoutesDeps,
    LeaseRoutesDeps,
    PolicySetRoutesDeps,
    SecurityEventRoutesDeps,
    TaskRoutesDeps,
    TemplateRoutesDeps,
    WebhookRoutesDeps,
    WellKnownRoutesDeps {
  readonly taskTokens: TaskRoutesDeps['taskTokens'] & WellKnownRoutesDeps['taskTokens']
  readonly tasks: TaskRoutesDeps['tasks']
  readonly logger: Logger
  readonly metrics: BrokerMetrics
  readonly newRequestId: () => string
  /** Which proxies may say where a request came from: none, a number of hops, or addresses. */
  readonly trustProxy: false | number | readonly string[]
  readonly requestsPerMinute: number
}

const LIMIT_BYTES = 64 * 1024

/** The HTTP side of the broker. The order of this function is the security policy. */
export function makeApp(deps: AppDeps): Express {
  const authenticate = makeAuthenticate(deps)
  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  app.set('query parser', 'simple')
  app.set('trust proxy', deps.trustProxy)

  app.use(requestContext(deps.newRequestId))
  app.use(traceRequest)
  app.use(accessLog(deps.logger, deps.metrics))
  app.use(securityHeaders)
  // Probes come from one address, and turning them away would take the broker out of service.
  app.use(healthRoutes(deps))
  app.use(limitRate(deps.requestsPerMinute))
  app.use(refuseNullBytes)
  app.use(wellKnownRoutes(deps))
  app.use(policySetRoutes(deps, authenticate))
  app.use(securityEventRoutes(deps))
  app.use(jsonBody({ limitBytes: LIMIT_BYTES }))
  app.use(taskRoutes(deps, authenticate))
  app.use(leaseRoutes(deps, authenticate))
  app.use(templateRoutes(deps, authenticate))
  app.use(leakRoutes(deps, authenticate))
  app.use(freezeRoutes(deps, authenticate))
  app.use(containmentRoutes(deps, authenticate))
  app.use(webhookRoutes(deps, authenticate))
  app.use(notFound)
  app.use(problemHandler(deps.logger))
  return app
}
