import { startRequestSpan } from '@mayfly/runtime'
import type { RequestHandler } from 'express'

import { contextOf } from './request-context.ts'

/** One span per request. Like the access log it holds patterns, ids and numbers only (R118). */
export const traceRequest: RequestHandler = (req, res, next) => {
  const span = startRequestSpan(req.method, req.get('traceparent'))
  res.once('close', () => {
    const { route, taskId, leaseId, requestId, refusal } = contextOf(res)
    const pattern = route ?? 'unmatched'
    span.end(`${req.method} ${pattern}`, {
      'http.request.method': req.method,
      'http.route': pattern,
      'http.response.status_code': res.writableFinished ? res.statusCode : 499,
      'mayfly.request.id': requestId,
      ...(taskId !== null && { 'mayfly.task.id': taskId }),
      ...(leaseId !== null && { 'mayfly.lease.id': leaseId }),
      ...(refusal && { 'error.type': refusal.code }),
    })
  })
  span.run(next)
}
