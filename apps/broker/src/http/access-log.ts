import type { Logger } from '@mayfly/runtime'
import type { RequestHandler } from 'express'

import type { BrokerMetrics } from '../metrics.ts'
import { contextOf, type Caller } from './request-context.ts'

/**
 * One line per request, when it is over. Route patterns, ids and numbers only: a path, a query or a
 * header can hold what somebody pasted there.
 */
export function accessLog(logger: Logger, metrics: Pick<BrokerMetrics, 'request'>): RequestHandler {
  return (req, res, next) => {
    res.once('close', () => {
      const context = contextOf(res)
      const milliseconds = performance.now() - context.startedAt
      const route = context.route ?? 'unmatched'
      const status = res.writableFinished ? res.statusCode : 499
      metrics.request({ method: req.method, route, status: String(status) }, milliseconds / 1000)
      logger.info(
        {
          requestId: context.requestId,
          method: req.method,
          route,
          status,
          milliseconds: Math.round(milliseconds * 10) / 10,
          ...(context.caller && callerFields(context.caller)),
          ...(context.taskId !== null && { taskId: context.taskId }),
          ...(context.leaseId !== null && { leaseId: context.leaseId }),
          ...(context.refusal && { code: context.refusal.code }),
          ...(context.refusal?.reason && { reason: context.refusal.reason }),
        },
        'request',
      )
    })
    next()
  }
}

function callerFields(caller: Caller): Record<string, string> {
  switch (caller.kind) {
    case 'workload':
      return { agent: caller.workload.agent.name, issuer: caller.workload.token.issuer }
    case 'task':
      return { agent: caller.agent, taskId: caller.taskId }
    case 'operator':
      return { operator: `${caller.operator.issuer}#${caller.operator.subject}` }
  }
}
