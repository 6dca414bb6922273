import { describe, expect, test } from '@jest/globals'
import { makeOpenApi, OPERATIONS, PROBLEMS } from '@mayfly/protocol'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'

interface Media {
  schema: { $ref: string }
  example?: unknown
  examples?: Record<string, { value: unknown }>
}
interface OperationObject {
  operationId: string
  security: Record<string, string[]>[]
  parameters: { name: string; in: string; required: boolean; schema: object }[]
  requestBody?: { content: Record<string, Media> }
  responses: Record<string, { description: string; content?: Record<string, Media> }>
}
interface Document {
  openapi: string
  paths: Record<string, Record<string, OperationObject>>
  components: { schemas: Record<string, object>; securitySchemes: Record<string, object> }
}

const document = makeOpenApi({
  serverUrl: 'https://mayfly.acme.example',
  version: '1.2.3',
}) as unknown as Document

const operations = Object.values(document.paths).flatMap((path) => Object.values(path))

function ajv(): Ajv2020 {
  const validator = new Ajv2020({ strict: false, allErrors: true })
  formats.default(validator)
  validator.addSchema({ ...document, $id: 'mayfly:openapi' })
  return validator
}

const refsIn = (node: unknown): string[] => {
  if (typeof node !== 'object' || node === null) return []
  return Object.entries(node).flatMap(([key, value]) =>
    key === '$ref' ? [String(value)] : refsIn(value),
  )
}

describe('the OpenAPI document', () => {
  test('says 3.1, is plain JSON, and has every operation once', () => {
    expect(document.openapi).toMatch(/^3\.1\./)
    expect(JSON.parse(JSON.stringify(document))).toEqual(document)
    const ids = operations.map(({ operationId }) => operationId)
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids.sort()).toEqual(OPERATIONS.map(({ operationId }) => operationId).sort())
  })

  test('every reference leads to a schema, and no schema has an identity of its own', () => {
    const names = Object.keys(document.components.schemas)
    const targets = new Set(refsIn(document))
    expect(targets.size).toBeGreaterThan(10)
    for (const ref of targets) {
      expect(ref.startsWith('#/components/schemas/')).toBe(true)
      expect(names).toContain(ref.split('/').at(-1))
    }
    expect(JSON.stringify(document)).not.toContain('"$id"')
    expect(names).not.toContain('__shared')
  })

  test('every schema compiles as JSON Schema 2020-12', () => {
    const validator = ajv()
    for (const name of Object.keys(document.components.schemas)) {
      expect(() =>
        validator.compile({ $ref: `mayfly:openapi#/components/schemas/${name}` }),
      ).not.toThrow()
    }
  })

  test('every example satisfies its schema', () => {
    const validator = ajv()
    const seen = { requests: 0, problems: 0 }
    const check = (media: Media, value: unknown): void => {
      const valid = validator.compile({ $ref: `mayfly:openapi${media.schema.$ref}` })
      expect({ value, valid: valid(value), errors: valid.errors }).toMatchObject({ valid: true })
    }
    for (const { requestBody, responses } of operations) {
      for (const media of Object.values(requestBody?.content ?? {})) {
        check(media, media.example)
        seen.requests += 1
      }
      for (const { content } of Object.values(responses)) {
        for (const media of Object.values(content ?? {})) {
          for (const { value } of Object.values(media.examples ?? {})) {
            check(media, value)
            seen.problems += 1
          }
        }
      }
    }
    expect(seen.requests).toBe(OPERATIONS.filter(({ request }) => request).length)
    expect(seen.problems).toBeGreaterThan(50)
  })

  test('requests are closed and answers are open', () => {
    const validator = ajv()
    const accepts = (name: string, value: unknown): boolean =>
      validator.compile({ $ref: `mayfly:openapi#/components/schemas/${name}` })(value)
    const request = { template: 't', actions: ['a'], parameters: {} }
    expect(accepts('OpenLeaseRequest', request)).toBe(true)
    expect(accepts('OpenLeaseRequest', { ...request, more: 1 })).toBe(false)
    expect(accepts('OpenLeaseRequest', { ...request, ttlSeconds: 0 })).toBe(false)
    expect(accepts('HealthAnswer', { status: 'ok', more: 1 })).toBe(true)
  })

  test('parameters of the path are declared, and tokens are named by scheme', () => {
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const { parameters, security } of Object.values(methods)) {
        const declared = parameters.filter((p) => p.in === 'path').map((p) => `{${p.name}}`)
        expect(declared).toEqual(path.match(/\{\w+\}/g) ?? [])
        for (const scheme of security.flatMap((entry) => Object.keys(entry))) {
          expect(Object.keys(document.components.securitySchemes)).toContain(scheme)
        }
      }
    }
  })

  test('an error response lists only problems of its own status', () => {
    for (const { responses } of operations) {
      for (const [status, { content }] of Object.entries(responses)) {
        const codes = Object.keys(content?.['application/problem+json']?.examples ?? {})
        for (const code of codes) {
          expect(`${code} ${status}`).toBe(
            `${code} ${String(PROBLEMS[code as keyof typeof PROBLEMS].status)}`,
          )
        }
      }
    }
  })

  test('RFC 8935 the receiver of security events has its own form of refusal', () => {
    const post = operations.find(({ operationId }) => operationId === 'receiveSecurityEvent')
    if (!post) throw new Error('it is not in the document')
    expect(post.security).toEqual([])
    expect(Object.keys({ ...post.requestBody?.content })).toEqual(['application/secevent+jwt'])
    const { 202: accepted, 400: refused, ...others } = post.responses
    expect(accepted?.content).toBeUndefined()
    expect(Object.keys(others)).toEqual(['429', '500', '503'])
    const ref = refsIn(refused).join()
    const valid = ajv().compile({ $ref: `mayfly:openapi${ref}` })
    expect(valid({ err: 'invalid_audience', description: 'for somebody else' })).toBe(true)
    expect(valid({ err: 'invalid_mood', description: 'x' })).toBe(false)
    expect(valid({ err: 'invalid_key' })).toBe(false)
  })
})
