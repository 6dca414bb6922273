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
  readonly request?: { readonly schema: z.ZodType; readonly example: unknown }
  readonly answer: {
    readonly status: 200 | 201 | 202
    readonly schema: z.ZodType
    /** JSON unless told. The schema of a stream is that of one event's data. */
    readonly contentType?: 'text/event-stream'
  }
  /** Statuses other than that of `answer` with the same body. */
  readonly alsoAnswers?: readonly number[]
  /** Beyond those that every route has. */
  readonly problems: readonly ProblemCode[]
}
