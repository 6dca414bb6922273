import type { Problem } from './problem.ts'

/** The broker said no, or that it cannot. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError'
  readonly problem: Problem
  /** From `Retry-After`, in whole seconds. */
  readonly retryAfterSeconds: number | undefined

  constructor(problem: Problem, retryAfterSeconds: number | undefined) {
    super(problem.detail ?? problem.title)
    this.problem = problem
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/** The broker could not be reached, or took too long. It may have acted all the same. */
export class BrokerUnreachableError extends Error {
  override readonly name = 'BrokerUnreachableError'
  readonly timedOut: boolean

  constructor(message: string, options: { readonly timedOut: boolean; readonly cause: unknown }) {
    super(message, { cause: options.cause })
    this.timedOut = options.timedOut
  }
}

/**
 * Something answered, but not in the broker's language: a proxy's error page, or a broker too old.
 * The body is not kept, because it may hold a credential.
 */
export class UnexpectedAnswerError extends Error {
  override readonly name = 'UnexpectedAnswerError'
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}
