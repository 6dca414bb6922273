import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'

import type { PlainRequest } from '@mayfly/providers'
import { Ajv, type AnySchema } from 'ajv'
import { z } from 'zod'

const descriptionSchema = z.object({
  paths: z.record(z.string(), z.record(z.string(), z.unknown())),
  components: z.object({ schemas: z.record(z.string(), z.unknown()) }),
})

const operationSchema = z.object({
  requestBody: z
    .object({ content: z.object({ 'application/json': z.object({ schema: z.unknown() }) }) })
    .optional(),
  parameters: z.array(z.unknown()).default([]),
})

interface Github {
  readonly paths: readonly { readonly pattern: RegExp; readonly methods: Record<string, unknown> }[]
  readonly ajv: Ajv
  readonly permissions: Readonly<Record<string, { readonly enum: readonly string[] }>>
}

let loading: Promise<Github> | undefined

/** GitHub's own description of its API: 13 MB of JSON, read once and only when it is needed. */
export function loadGithubDescription(): Promise<Github> {
  loading ??= load()
  return loading
}

async function load(): Promise<Github> {
  const file = createRequire(import.meta.url).resolve(
    '@octokit/openapi/generated/api.github.com.json',
  )
  const description = descriptionSchema.parse(JSON.parse(await readFile(file, 'utf8')))
  const ajv = new Ajv({ strict: false, validateFormats: false })
  ajv.addSchema({ components: description.components }, 'github')
  return {
    ajv,
    paths: Object.entries(description.paths).map(([path, methods]) => ({
      pattern: new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{[^}]+\}/g, '[^/]+')}$`),
      methods,
    })),
    permissions: z
      .object({ properties: z.record(z.string(), z.object({ enum: z.array(z.string()) })) })
      .parse(description.components.schemas['app-permissions']).properties,
  }
}

/** Throws unless GitHub describes this request: method, path, and body with no unknown field. */
export async function assertDescribed(url: string, exchange: PlainRequest): Promise<void> {
  const { pathname } = new URL(url)
  const method = exchange.method.toLowerCase()
  const github = await loadGithubDescription()
  const known = github.paths.find(
    ({ pattern, methods }) => pattern.test(pathname) && method in methods,
  )
  if (!known) throw new Error(`GitHub describes no ${method} ${pathname}`)

  const { requestBody } = operationSchema.parse(known.methods[method])
  if (exchange.body === undefined) return
  const schema = requestBody?.content['application/json'].schema
  if (schema === undefined) throw new Error(`GitHub describes no body of ${method} ${pathname}`)
  assertValid(github, closed(schema), JSON.parse(exchange.body))
}

/** References are to the whole description, and unknown fields are refused, unlike GitHub does. */
function closed(schema: unknown): AnySchema {
  const text = JSON.stringify(schema).replaceAll('"#/', '"github#/')
  return { ...(JSON.parse(text) as object), additionalProperties: false } // a schema is an object
}

function assertValid({ ajv }: Github, schema: AnySchema, body: unknown): void {
  const validate = ajv.compile(schema)
  if (validate(body)) return
  throw new Error(`GitHub would not take that body: ${ajv.errorsText(validate.errors)}`)
}
