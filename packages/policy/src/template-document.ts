import type { JsonObject, ParameterSchema, ScopeTemplate, TemplateTest } from '@mayfly/core'
import { z } from 'zod'

import { RESOURCE_TYPES } from './action-resources.ts'
import { day, duration, environment, name, ownerName, pattern } from './document-fields.ts'
import { PROVIDER_FRAGMENTS } from './provider-fragments.ts'

const textLimits = {
  maxLength: z.int().min(1).max(1024).exactOptional(),
  allow: z.string().min(1).max(32).exactOptional(),
  unicode: z.boolean().exactOptional(),
  format: z.enum(['repository', 'ref', 'hostname']).exactOptional(),
}

/** Told apart by their keys, so that a mistake is reported against the form that was meant. */
const parameter = z.preprocess(
  (value) => {
    if (typeof value !== 'object' || value === null) return value
    if ('fromClaim' in value && !('type' in value)) return { ...value, form: 'claim' }
    if ('enum' in value) return { ...value, form: 'enum' }
    return 'type' in value ? { ...value, form: value.type } : value
  },
  z
    .discriminatedUnion('form', [
      z.strictObject({
        form: z.literal('string'),
        type: z.literal('string'),
        pattern,
        ...textLimits,
      }),
      z.strictObject({
        form: z.literal('enum'),
        type: z.literal('string'),
        enum: z.array(z.string().min(1)).min(1),
      }),
      z.strictObject({
        form: z.literal('integer'),
        type: z.literal('integer'),
        minimum: z.int(),
        maximum: z.int(),
      }),
      z.strictObject({ form: z.literal('boolean'), type: z.literal('boolean') }),
      z.strictObject({
        form: z.literal('claim'),
        fromClaim: z.string().min(1),
        pattern: pattern.exactOptional(),
        ...textLimits,
      }),
    ])
    .transform(({ form: _form, ...schema }): ParameterSchema =>
      'fromClaim' in schema ? { type: 'claim', ...schema } : schema,
    ),
)

const test = z
  .strictObject({
    name: z.string().min(1),
    subject: z.strictObject({
      agent: name.exactOptional(),
      issuer: name,
      claims: z.record(z.string(), z.json()).default({}),
    }),
    request: z.strictObject({
      actions: z.array(z.string().min(1)).min(1),
      params: z.record(z.string(), z.json()).default({}),
      ttl: duration.exactOptional(),
    }),
    expect: z.enum(['allow', 'deny']),
    code: z.string().min(1).exactOptional(),
  })
  .transform(({ subject, request: { params, ttl, ...request }, ...rest }): TemplateTest => {
    const ttlSeconds = ttl === undefined ? {} : { ttlSeconds: ttl }
    return {
      ...rest,
      subject,
      request: { ...request, parameters: params, ...ttlSeconds },
    }
  })

const common = {
  connection: name,
  parameters: z
    .record(z.string().regex(/^[A-Za-z][A-Za-z0-9_]*$/, 'must be letters, digits and _'), parameter)
    .default({}),
  claims: z.array(z.string().min(1)).default([]),
  resource: z.strictObject({ type: z.enum(RESOURCE_TYPES), id: z.string().min(1) }),
  ttl: z
    .strictObject({ default: duration, max: duration })
    .refine((ttl) => ttl.default <= ttl.max, 'default must not be longer than max'),
  limits: z
    .strictObject({
      liveLeasesPerTask: z.int().min(1).exactOptional(),
      mintsPerHour: z.int().min(1).exactOptional(),
    })
    .default({}),
  policy: z.string().min(1),
  events: z.array(z.string().min(1)).exactOptional(),
  tests: z.array(test).default([]),
}

const { github, aws, vault } = PROVIDER_FRAGMENTS

function actions<Action extends z.ZodType>(action: Action) {
  return z
    .record(z.string(), action)
    .refine((all) => Object.keys(all).length > 0, 'must name an action')
}

/** Provider keys stand beside ours: shared ones in `spec`, an action's own under the action. */
export const templateDocument = {
  metadata: z.strictObject({
    name,
    owner: ownerName,
    reviewBy: day,
    environment,
    risk: z.enum(['low', 'medium', 'high']).default('medium'),
  }),
  spec: z.discriminatedUnion('provider', [
    z.strictObject({
      provider: z.literal('github'),
      ...common,
      ...github.shared,
      actions: actions(github.action),
    }),
    z.strictObject({
      provider: z.literal('aws'),
      ...common,
      ...aws.shared,
      actions: actions(aws.action),
    }),
    z.strictObject({
      provider: z.literal('vault'),
      ...common,
      ...vault.shared,
      actions: actions(vault.action),
    }),
  ]),
}

type TemplateSpec = z.output<typeof templateDocument.spec>

export function toTemplate(
  metadata: z.output<typeof templateDocument.metadata>,
  spec: TemplateSpec,
): ScopeTemplate {
  const { ttl, provider, connection, parameters, claims, resource, limits, policy, tests } = spec
  const { events } = spec
  const allowHighRisk = 'allowHighRisk' in spec ? spec.allowHighRisk : undefined
  return {
    kind: 'ScopeTemplate',
    ...metadata,
    provider,
    connection,
    parameters,
    claims,
    actions: actionsOf(spec),
    resource,
    fragment: sharedFragment(spec),
    ttl: { defaultSeconds: ttl.default, maxSeconds: ttl.max },
    limits,
    policy,
    ...(events === undefined ? {} : { events }),
    ...(allowHighRisk === undefined ? {} : { allowHighRisk }),
    tests,
  }
}

type WrittenAction = JsonObject & { readonly maxTtl?: number }

function actionsOf({ actions: written }: TemplateSpec): ScopeTemplate['actions'] {
  return Object.fromEntries(
    Object.entries<WrittenAction>(written).map(([action, { maxTtl, ...fragment }]) => [
      action,
      { fragment, ...(maxTtl === undefined ? {} : { maxTtlSeconds: maxTtl }) },
    ]),
  )
}

const OURS = new Set([...Object.keys(common), 'provider', 'actions', 'allowHighRisk'])

/** What is left when our own keys are gone is the provider's. */
function sharedFragment(spec: TemplateSpec): JsonObject {
  const entries = Object.entries(spec).filter(([key]) => !OURS.has(key))
  return Object.fromEntries(entries)
}
