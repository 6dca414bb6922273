import type { Webhook } from '@mayfly/core'
import { z } from 'zod'

import { name } from './document-fields.ts'
import { isReference } from './resolve-references.ts'

/** `lease.revoked`, every event about leases, or everything. */
const eventName = z
  .string()
  .max(64)
  .regex(/^(?:\*|[a-z][a-z_]*\.(?:\*|[a-z][a-z_]*))$/, 'must be like lease.revoked, lease.* or *')

/** `metadata: { name }`, `spec: { url, events, secret }`. */
export const webhookDocument = {
  metadata: z.strictObject({ name }),
  spec: z.strictObject({
    url: z.url().max(2000),
    events: z.array(eventName).min(1).max(50),
    secret: z
      .string()
      .max(500)
      .refine(
        isReference,
        'must be a reference, env:NAME or file:/path, and never the secret itself',
      ),
  }),
}

export function toWebhook(
  metadata: z.output<typeof webhookDocument.metadata>,
  spec: z.output<typeof webhookDocument.spec>,
): Webhook {
  return { kind: 'Webhook', ...metadata, ...spec }
}
