import type { Operator, Workload } from '@mayfly/core'
import type { RequestHandler, Response } from 'express'

/** Who is calling, once a token was verified. */
export type Caller =
  | { readonly kind: 'workload'; readonly workload: Workload }
  | { readonly kind: 'task'; readonly taskId: string; readonly agent: string }
  | { readonly kind: 'operator'; readonly operator: Operator }

/** What is known of a request while it is served; the access log is written from it. */
export interface RequestContext {
  readonly requestId: string
  readonly startedAt: number
  caller: Caller | null
  /** The pattern of the route, never the path itself. */
  route: string | null
  taskId: string | null
  leaseId: string | null
  /** The problem's code, and for the operator the reason behind it. */
  refusal: { readonly code: string; readonly reason: string | null } | null
}

const KEY = 'mayfly'

/** Echoes a caller's request id if it is one that can be logged and echoed safely, or makes one. */
export function requestContext(newRequestId: () => string): RequestHandler {
  return (req, res, next) => {
    const given = req.get('x-request-id') ?? ''
    const requestId = /^[\w.:+/=-]{1,128}$/.test(given) ? given : newRequestId()
    const context: RequestContext = {
      requestId,
      startedAt: performance.now(),
      caller: null,
      route: null,
      taskId: null,
      leaseId: null,
      refusal: null,
    }
    res.locals[KEY] = context
    res.set('x-request-id', requestId)
    next()
  }
}

export function contextOf(res: Response): RequestContext {
  return res.locals[KEY] as RequestContext // put there by requestContext, before everything else
}
