import { makeOpenApi, OPERATIONS } from '@mayfly/protocol'
import { z } from 'zod'

import { cell, page, table } from './markdown.ts'

interface JsonSchema {
  readonly $ref?: string | undefined
  readonly type?: string | readonly string[] | undefined
  readonly const?: unknown
  readonly enum?: readonly unknown[] | undefined
  readonly items?: JsonSchema | undefined
  readonly anyOf?: readonly JsonSchema[] | undefined
  readonly properties?: Readonly<Record<string, JsonSchema>> | undefined
  readonly additionalProperties?: JsonSchema | boolean | undefined
  readonly required?: readonly string[] | undefined
  readonly format?: string | undefined
  readonly pattern?: string | undefined
}

const jsonSchema: z.ZodType<JsonSchema> = z.lazy(() =>
  z.looseObject({
    $ref: z.string().optional(),
    type: z.union([z.string(), z.array(z.string())]).optional(),
    enum: z.array(z.unknown()).optional(),
    items: jsonSchema.optional(),
    anyOf: z.array(jsonSchema).optional(),
    properties: z.record(z.string(), jsonSchema).optional(),
    additionalProperties: z.union([z.boolean(), jsonSchema]).optional(),
    required: z.array(z.string()).optional(),
    format: z.string().optional(),
    pattern: z.string().optional(),
  }),
)

const media = z.looseObject({ schema: jsonSchema })
const content = z.record(z.string(), media)

const documentSchema = z.looseObject({
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.looseObject({
        parameters: z.array(
          z.looseObject({ name: z.string(), in: z.string(), schema: jsonSchema }),
        ),
        requestBody: z.looseObject({ content }).optional(),
        responses: z.record(z.string(), z.looseObject({ content: content.optional() })),
      }),
    ),
  ),
  components: z.looseObject({ schemas: z.record(z.string(), jsonSchema) }),
})

/** Every route with what it takes and answers, and every schema with its fields. */
export function apiPage(): string {
  const made = makeOpenApi({ serverUrl: 'https://mayfly.example', version: '0' })
  const { paths, components } = documentSchema.parse(made)
  const routes = OPERATIONS.map(({ method, path, summary, tokens, problems }) => {
    const described = paths[path]?.[method]
    if (!described) throw new Error(`${method} ${path} is not in the document`)
    const { parameters, requestBody, responses } = described
    const rows = [
      ['Token', tokens.length === 0 ? 'none' : tokens.map((token) => `\`${token}\``).join(' or ')],
      ...parameters
        .filter((parameter) => parameter.in !== 'header')
        .map(({ name, in: where, schema }) => [`\`${name}\` (${where})`, typeOf(schema)]),
      ...bodies(requestBody?.content).map((body) => ['Body', body]),
      ...Object.entries(responses)
        .filter(
          ([, { content: answer }]) => !Object.hasOwn(answer ?? {}, 'application/problem+json'),
        )
        .map(([status, { content: answer }]) => [status, bodies(answer).join(', ') || 'no body']),
      ...(problems.length > 0
        ? [['Problems', problems.map((code) => `\`${code}\``).join(', ')]]
        : []),
    ]
    return `## ${method.toUpperCase()} ${path}\n\n${summary}.\n\n${table(['', ''], rows)}`
  })
  const schemas = Object.entries(components.schemas).map(
    ([name, schema]) => `### ${name}\n\n${fieldsOf(schema)}`,
  )
  return page('HTTP API', ...routes, '## Schemas\n', ...schemas)
}

function bodies(of: z.output<typeof content> | undefined): readonly string[] {
  return Object.entries(of ?? {}).map(([type, { schema }]) => {
    const kind = type === 'application/json' ? '' : ` as \`${type}\``
    return `${typeOf(schema)}${kind}`
  })
}

function fieldsOf(schema: JsonSchema): string {
  if (!schema.properties) return `${typeOf(schema)}\n`
  const rows = Object.entries(schema.properties).map(([name, field]) => [
    `\`${name}\``,
    typeOf(field),
    schema.required?.includes(name) ? 'yes' : '',
  ])
  return table(['Field', 'Type', 'Required'], rows)
}

function typeOf(schema: JsonSchema): string {
  if (schema.$ref !== undefined) return linkTo(schema.$ref)
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(' or ')
  if (schema.enum) return schema.enum.map((value) => `\`${String(value)}\``).join(', ')
  if (Object.hasOwn(schema, 'const')) return `\`${String(schema.const)}\``
  if (schema.items) return `list of ${typeOf(schema.items)}`
  return plainType(schema)
}

function plainType({
  type: types = 'any',
  format,
  pattern,
  additionalProperties,
}: JsonSchema): string {
  const type = typeof types === 'string' ? types : types.join(' or ')
  if (typeof additionalProperties === 'object') return `object of ${typeOf(additionalProperties)}`
  if (format !== undefined) return `${type} (${format})`
  return pattern === undefined ? type : `${type} matching \`${cell(pattern)}\``
}

function linkTo(ref: string): string {
  const name = ref.split('/').at(-1) ?? ''
  return `[${name}](#${name.toLowerCase()})`
}
