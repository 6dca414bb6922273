import type { Issuer, KeySource } from '@mayfly/core'
import { z } from 'zod'

import { duration, environment, name } from './document-fields.ts'

const keys = z
  .union(
    [
      z.literal('discovery'),
      z.strictObject({ url: z.string().min(1) }),
      z.strictObject({ file: z.string().min(1) }),
    ],
    { error: 'must be `discovery`, `{ url: … }` or `{ file: … }`' },
  )
  .transform((source): KeySource => {
    if (source === 'discovery') return { from: 'discovery' }
    return 'url' in source ? { from: 'url', url: source.url } : { from: 'file', path: source.file }
  })

const claimType = z.enum(['string', 'integer', 'boolean', 'strings'])

const common = {
  tokenClass: z.enum(['workload', 'operator', 'events']),
  environments: z.array(environment).min(1),
  audience: z.string().min(1),
  algorithms: z.array(z.string().min(1)).min(1),
  keys,
  maxTokenAge: duration.default(600),
  claims: z.record(z.string().min(1), claimType).default({}),
  requiredClaims: z.record(z.string().min(1), z.string()).default({}),
}

/** `metadata: { name }`, `spec` by `type`. */
export const issuerDocument = {
  metadata: z.strictObject({ name }),
  spec: z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('oidc'), issuer: z.string().min(1), ...common }),
    z.strictObject({ type: z.literal('spiffe'), trustDomain: z.string().min(1), ...common }),
  ]),
}

export function toIssuer(
  metadata: z.output<typeof issuerDocument.metadata>,
  { maxTokenAge, ...spec }: z.output<typeof issuerDocument.spec>,
): Issuer {
  return { kind: 'Issuer', name: metadata.name, ...spec, maxTokenAgeSeconds: maxTokenAge }
}
