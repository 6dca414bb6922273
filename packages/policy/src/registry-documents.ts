import type { Agent, Connection, Guardrail, Owner, RoleBinding } from '@mayfly/core'
import { z } from 'zod'

import { environment, name, ownerName, pattern } from './document-fields.ts'

const identity = z
  .strictObject({
    issuer: name,
    subject: pattern.exactOptional(),
    claims: z.record(z.string().min(1), pattern).default({}),
  })
  .refine(
    ({ subject, claims }) => subject !== undefined || Object.keys(claims).length > 0,
    'must name a subject or a claim: without one, every token of the issuer is this agent',
  )

export const ownerDocument = {
  metadata: z.strictObject({ name: ownerName }),
  spec: z.strictObject({ active: z.boolean() }),
}

export function toOwner(
  metadata: z.output<typeof ownerDocument.metadata>,
  spec: z.output<typeof ownerDocument.spec>,
): Owner {
  return { kind: 'Owner', ...metadata, ...spec }
}

export const agentDocument = {
  metadata: z.strictObject({ name, owner: ownerName, environment }),
  spec: z.strictObject({
    kind: z.string().min(1).max(63),
    team: name,
    quarantined: z.boolean().default(false),
    identities: z.array(identity).min(1),
  }),
}

export function toAgent(
  metadata: z.output<typeof agentDocument.metadata>,
  { kind, ...spec }: z.output<typeof agentDocument.spec>,
): Agent {
  return { kind: 'Agent', ...metadata, agentKind: kind, ...spec }
}

export const connectionDocument = {
  metadata: z.strictObject({ name, environment }),
  spec: z.strictObject({
    provider: z.enum(['github', 'aws', 'vault']),
    settings: z.record(z.string(), z.json()),
  }),
}

export function toConnection(
  metadata: z.output<typeof connectionDocument.metadata>,
  spec: z.output<typeof connectionDocument.spec>,
): Connection {
  return { kind: 'Connection', ...metadata, ...spec }
}

export const guardrailDocument = {
  metadata: z.strictObject({ name, owner: ownerName }),
  spec: z.strictObject({ policy: z.string().min(1) }),
}

export function toGuardrail(
  metadata: z.output<typeof guardrailDocument.metadata>,
  spec: z.output<typeof guardrailDocument.spec>,
): Guardrail {
  return { kind: 'Guardrail', ...metadata, ...spec }
}

export const roleBindingDocument = {
  metadata: z.strictObject({ name }),
  spec: z.strictObject({
    role: z.enum(['platform', 'approver', 'responder', 'auditor']),
    issuer: name,
    subjects: z.array(z.string().min(1)).min(1),
  }),
}

export function toRoleBinding(
  metadata: z.output<typeof roleBindingDocument.metadata>,
  spec: z.output<typeof roleBindingDocument.spec>,
): RoleBinding {
  return { kind: 'RoleBinding', ...metadata, ...spec }
}
