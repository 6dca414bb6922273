import type { z } from 'zod'

import type { ProblemCode } from './problems.ts'

/** Which tokens a route takes: any one of those named. */
export type TokenKind = 'workloadToken' | 'taskToken' | 'operatorToken'

/** One route of the API, in the terms of OpenAPI. */
export interface Operation {
  readonly method: 'get' | 'post' | 'delete'
  /** With `{name}` for path parameters. */
  readonly path: string
  readonly operationId: string
  readonly summary: string
  readonly tokens: readonly TokenKind[]
  readonly query?: z.ZodObject
  readonly idempotent?: true
  readonly request?: {
    readonly schema: z.ZodType
    readonly example: unknown
    /** JSON unless told. */
    readonly contentType?: string
  }
  readonly answer: {
    readonly status: 200 | 201 | 202
    /** Null for an answer without a body. */
    readonly schema: z.ZodType | null
    /** JSON unless told. The schema of a stream is that of one event's data. */
    readonly contentType?: string
  }
  /** Where a standard says how to refuse a request: instead of the problems about its form. */
  readonly refusal?: {
    readonly status: 400
    readonly description: string
    readonly schema: z.ZodType
  }
  /** Statuses other than that of `answer` with the same body. */
  readonly alsoAnswers?: readonly number[]
  /** Beyond those that every route has. */
  readonly problems: readonly ProblemCode[]
}
