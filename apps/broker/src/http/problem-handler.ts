import { MayflyError, type ErrorCode } from '@mayfly/core'
import { refusalOf } from '@mayfly/identity'
import { explanationSchema, PROBLEMS, type Problem, type ProblemEntry } from '@mayfly/protocol'
import type { Logger } from '@mayfly/runtime'
import type { ErrorRequestHandler, RequestHandler } from 'express'

import { contextOf } from './request-context.ts'

/** The assignment fails to compile when an error code has no row in the table. */
const ENTRIES: Readonly<Record<ErrorCode | 'internal', ProblemEntry>> = PROBLEMS

export const notFound: RequestHandler = (_req, _res, next) => {
  next(new MayflyError('not_found', 'there is nothing here'))
}

/** Turns whatever was thrown into a problem document (R33), and logs what is our own fault, once. */
export function problemHandler(logger: Logger): ErrorRequestHandler {
  return (thrown: unknown, _req, res, next) => {
    const context = contextOf(res)
    const problem = toProblem(thrown, context.requestId)
    context.refusal = { code: codeOf(thrown), reason: refusalOf(thrown)?.message ?? null }
    if (problem.status >= 500) {
      logger.error({ requestId: context.requestId, route: context.route, err: thrown }, 'failed')
    }
    if (res.headersSent) {
      // Half an answer is out; only breaking the connection tells the caller so.
      next(thrown)
      return
    }
    if (problem.status === 401) res.set('www-authenticate', 'Bearer')
    const wait = thrown instanceof MayflyError ? thrown.retryAfterSeconds : undefined
    if (wait !== undefined) res.set('retry-after', String(wait))
    // Not `res.json`, which would insist on a charset parameter that problem+json does not have.
    res.status(problem.status).set('content-type', 'application/problem+json')
    res.end(JSON.stringify(problem))
  }
}

function codeOf(thrown: unknown): ErrorCode | 'internal' {
  if (thrown instanceof MayflyError) return thrown.code
  // Express throws it for a path that is not valid percent-encoding.
  return thrown instanceof URIError ? 'invalid_request' : 'internal'
}

/** What the caller may know of an error. Its cause stays here. */
function toProblem(thrown: unknown, requestId: string): Problem {
  const code = shownCode(thrown)
  const { type, title, status, retryable } = ENTRIES[code]
  const problem = { type, title, status, code, requestId, retryable }
  if (!(thrown instanceof MayflyError)) return problem
  const { explanation, ...details } = thrown.details
  const explained = explanationSchema.safeParse(explanation)
  return {
    ...problem,
    retryable: retryable || thrown.retryable,
    detail: thrown.message,
    ...(explained.success && { explanation: explained.data }),
    // Safe to show by the contract of MayflyError, and about to become JSON.
    ...(Object.keys(details).length > 0 && { details: details as Problem['details'] }),
  }
}

/**
 * A caller who is nobody here learns no more than that: an unknown agent, a quarantined one and one
 * whose owner left all look like a denial (R115). The log has the code and the reason.
 */
function shownCode(thrown: unknown): ErrorCode | 'internal' {
  const code = codeOf(thrown)
  return code !== 'unauthenticated' && refusalOf(thrown) ? 'denied' : code
}
