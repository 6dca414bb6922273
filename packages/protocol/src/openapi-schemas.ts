import { z } from 'zod'

import { containedLeaseSchema, containmentSchema, previewSchema } from './containment.ts'
import { freezeSchema } from './freeze.ts'
import { leakedLeaseSchema } from './leak.ts'
import { leaseSchema } from './lease.ts'
import { OPERATIONS } from './operations.ts'
import { policySetSchema } from './policy-set.ts'
import { explanationSchema, problemSchema } from './problem.ts'
import { selectorSchema } from './selector.ts'
import { declarationSchema, intentSchema, taskSchema } from './task.ts'
import { templateSchema } from './template.ts'
import { webhookSchema } from './webhook.ts'

export interface ComponentSchemas {
  readonly schemas: Readonly<Record<string, unknown>>
  /** `{ $ref }` to a schema that an operation or another schema uses. */
  ref(schema: z.ZodType): { readonly $ref: string }
}

const SHARED: Readonly<Record<string, z.ZodType>> = {
  Task: taskSchema,
  Declaration: declarationSchema,
  Intent: intentSchema,
  Lease: leaseSchema,
  LeakedLease: leakedLeaseSchema,
  Selector: selectorSchema,
  Freeze: freezeSchema,
  Containment: containmentSchema,
  ContainedLease: containedLeaseSchema,
  ContainmentPreview: previewSchema,
  PolicySet: policySetSchema,
  Template: templateSchema,
  Webhook: webhookSchema,
  Explanation: explanationSchema,
  Problem: problemSchema,
}

/** The `components.schemas` of the OpenAPI document, from the same zod schemas that parse. */
export function makeComponentSchemas(): ComponentSchemas {
  const names = new Map(Object.entries(SHARED).map(([name, schema]) => [schema, name]))
  for (const { operationId, request, answer, refusal } of OPERATIONS) {
    const name = operationId.charAt(0).toUpperCase() + operationId.slice(1)
    if (request && !names.has(request.schema)) names.set(request.schema, `${name}Request`)
    if (answer.schema && !names.has(answer.schema)) names.set(answer.schema, `${name}Answer`)
    if (refusal && !names.has(refusal.schema)) names.set(refusal.schema, `${name}Refusal`)
  }

  const registry = z.registry<{ id: string }>()
  for (const [schema, id] of names) registry.add(schema, { id })
  const { schemas } = z.toJSONSchema(registry, { ...plain, uri: (id) => pointer(id) })

  return {
    schemas: Object.fromEntries(Object.entries(schemas).map(([id, json]) => [id, bare(json)])),
    ref(schema) {
      const name = names.get(schema)
      if (name === undefined) throw new Error('a schema is used that no operation names')
      return { $ref: pointer(name) }
    },
  }
}

/** The properties of a query schema, each as the JSON schema of one parameter. */
export function queryProperties(schema: z.ZodObject): Record<string, unknown> {
  return z.toJSONSchema(schema, { ...plain, io: 'output' }).properties ?? {}
}

/** As input, so that answers stay open for fields of newer brokers, and requests stay closed. */
const plain = {
  io: 'input',
  override: ({ jsonSchema }: { jsonSchema: z.core.JSONSchema.BaseSchema }) => {
    // Half a page of leap-year arithmetic that `format` already says.
    if (jsonSchema.format === 'date-time') delete jsonSchema.pattern
  },
} as const

function pointer(id: string): string {
  return `#/components/schemas/${id}`
}

/** Without the `$id` and `$schema` of a document of its own, which OpenAPI readers stumble over. */
function bare(schema: z.core.JSONSchema.BaseSchema): unknown {
  const own = ['$id', '$schema']
  return Object.fromEntries(Object.entries(schema).filter(([keyword]) => !own.includes(keyword)))
}
