import { makeComponentSchemas, queryProperties, type ComponentSchemas } from './openapi-schemas.ts'
import type { Operation, TokenKind } from './operation.ts'
import { OPERATIONS } from './operations.ts'
import { problemSchema } from './problem.ts'
import { PROBLEMS, type ProblemCode } from './problems.ts'

/** An OpenAPI 3.1 document, as JSON. */
export type OpenApiDocument = Readonly<Record<string, unknown>>

export interface OpenApiOptions {
  /** Where clients reach the broker. */
  readonly serverUrl: string
  readonly version: string
}

const TOKENS: Readonly<Record<TokenKind, string>> = {
  workloadToken: 'OIDC or SPIFFE token of a trusted issuer. Each opens or renews one task.',
  taskToken: 'What opening or renewing a task answers with.',
  operatorToken: 'OIDC token of a person, from an issuer for operators.',
}

/** Builds the OpenAPI document from the schemas that parse requests and answers. */
export function makeOpenApi(options: OpenApiOptions): OpenApiDocument {
  const components = makeComponentSchemas()
  const paths: Record<string, Record<string, unknown>> = {}
  for (const operation of OPERATIONS) {
    paths[operation.path] = {
      ...paths[operation.path],
      [operation.method]: describe(operation, components),
    }
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Mayfly',
      version: options.version,
      description: 'Just-in-time credentials for AI coding assistants.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: options.serverUrl }],
    paths,
    components: {
      schemas: components.schemas,
      securitySchemes: Object.fromEntries(
        Object.entries(TOKENS).map(([name, description]) => [
          name,
          { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description },
        ]),
      ),
    },
  }
}

function describe(operation: Operation, components: ComponentSchemas): Record<string, unknown> {
  const { operationId, summary, tokens, request } = operation
  return {
    operationId,
    summary,
    // An empty list would mean the document's default; no entry at all means no token.
    security: tokens.map((token) => ({ [token]: [] })),
    parameters: [
      ...pathParameters(operation),
      ...queryParameters(operation),
      ...headers(operation),
    ],
    ...(request && {
      requestBody: {
        required: true,
        content: {
          [request.contentType ?? 'application/json']: {
            schema: components.ref(request.schema),
            example: request.example,
          },
        },
      },
    }),
    responses: { ...answers(operation, components), ...problemResponses(operation, components) },
  }
}

function pathParameters({ path }: Operation): unknown[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }))
}

function queryParameters({ query }: Operation): unknown[] {
  if (!query) return []
  return Object.entries(queryProperties(query)).map(([name, schema]) => ({
    name,
    in: 'query',
    required: false,
    schema,
  }))
}

function headers({ idempotent }: Operation): unknown[] {
  const requestId = {
    name: 'X-Request-ID',
    in: 'header',
    required: false,
    description: 'Echoed, logged and named in problems. The broker makes one where it is missing.',
    schema: { type: 'string', maxLength: 128 },
  }
  const idempotencyKey = {
    name: 'Idempotency-Key',
    in: 'header',
    required: false,
    description: 'The same key and the same request never act twice.',
    schema: { type: 'string', maxLength: 255 },
  }
  return idempotent ? [requestId, idempotencyKey] : [requestId]
}

function answers(operation: Operation, components: ComponentSchemas): Record<string, unknown> {
  const { status, schema, contentType = 'application/json' } = operation.answer
  const body = {
    description: operation.summary,
    ...(schema && { content: { [contentType]: { schema: components.ref(schema) } } }),
  }
  const statuses = [status, ...(operation.alsoAnswers ?? [])]
  return {
    ...Object.fromEntries(statuses.map((each) => [String(each), body])),
    ...refusals(operation, components),
  }
}

function refusals({ refusal }: Operation, components: ComponentSchemas): Record<string, unknown> {
  if (!refusal) return {}
  const { status, description, schema } = refusal
  const content = { 'application/json': { schema: components.ref(schema) } }
  return { [String(status)]: { description, content } }
}

/** Problems share statuses, so each status has one response with an example per code. */
function problemResponses(
  operation: Operation,
  components: ComponentSchemas,
): Record<string, unknown> {
  const codes = problemsOf(operation)
  const statuses = [...new Set(codes.map((code) => PROBLEMS[code].status))]
  return Object.fromEntries(
    statuses.map((status) => {
      const here = codes.filter((code) => PROBLEMS[code].status === status)
      const problem = {
        schema: components.ref(problemSchema),
        examples: Object.fromEntries(here.map((code) => [code, problemExample(code)])),
      }
      const description = here.map((code) => PROBLEMS[code].title).join('; ')
      return [String(status), { description, content: { 'application/problem+json': problem } }]
    }),
  )
}

function problemsOf(operation: Operation): ProblemCode[] {
  const always: ProblemCode[] = ['internal']
  if (operation.tokens.length > 0) {
    always.push('invalid_request', 'unauthenticated', 'issuer_unavailable', 'database_unavailable')
    always.push('policy_unavailable', 'rate_limited')
  }
  if (operation.request && !operation.refusal)
    always.push('payload_too_large', 'unsupported_media_type')
  return [...always, ...operation.problems]
}

function problemExample(code: ProblemCode): unknown {
  const { type, title, status, retryable, doc } = PROBLEMS[code]
  const requestId = 'req_01JD0000000000000000000000'
  return { summary: doc, value: { type, title, status, code, requestId, retryable } }
}
