import { z } from 'zod'

import { jsonObject } from './fields.ts'
import { healthResponse, readinessResponse } from './health.ts'
import type { Operation } from './operation.ts'

/** For those who run the broker, and for clients that discover it. */
export const serviceOperations: readonly Operation[] = [
  {
    method: 'get',
    path: '/healthz',
    operationId: 'health',
    summary: 'Whether the process runs',
    tokens: [],
    answer: { status: 200, schema: healthResponse },
    problems: [],
  },
  {
    method: 'get',
    path: '/readyz',
    operationId: 'readiness',
    summary: 'Whether it can issue: the database answers and a policy set is in force',
    tokens: [],
    answer: { status: 200, schema: readinessResponse },
    alsoAnswers: [503],
    problems: [],
  },
  {
    method: 'get',
    path: '/metrics',
    operationId: 'metrics',
    summary: 'Metrics in the text format of Prometheus',
    tokens: [],
    answer: { status: 200, schema: z.string(), contentType: 'text/plain' },
    problems: [],
  },
  {
    method: 'get',
    path: '/openapi.json',
    operationId: 'describeApi',
    summary: 'This document',
    tokens: [],
    answer: { status: 200, schema: jsonObject },
    problems: ['rate_limited'],
  },
  {
    method: 'get',
    path: '/.well-known/jwks.json',
    operationId: 'listSigningKeys',
    summary: 'The public keys of task tokens (RFC 7517)',
    tokens: [],
    answer: {
      status: 200,
      schema: z.object({ keys: z.array(jsonObject) }),
      contentType: 'application/jwk-set+json',
    },
    problems: ['rate_limited', 'database_unavailable'],
  },
]
