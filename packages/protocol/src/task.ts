import { z } from 'zod'

import {
  instant,
  leaseId,
  reason,
  requestedActions,
  requestedParameters,
  taskId,
  templateName,
  ttlSeconds,
} from './fields.ts'

export const declarationSchema = z.strictObject({
  template: templateName,
  actions: requestedActions,
  parameters: requestedParameters,
})

export const intentSchema = z.strictObject({
  reason,
  ticket: z.string().min(1).max(200).exactOptional(),
})

/** Everything that the task will ever ask for is declared here; it cannot be widened later. */
export const openTaskRequest = z.strictObject({
  intent: intentSchema,
  declarations: z.array(declarationSchema).min(1).max(50),
  ttlSeconds: ttlSeconds.exactOptional(),
})
export type OpenTaskRequest = z.input<typeof openTaskRequest>

export const taskSchema = z.object({
  id: taskId,
  agent: z.string(),
  owner: z.string(),
  environment: z.string(),
  issuer: z.string(),
  subject: z.string(),
  intent: z.object({ reason: z.string(), ticket: z.string().optional() }),
  declarations: z.array(
    z.object({
      template: z.string(),
      actions: z.array(z.string()),
      parameters: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
    }),
  ),
  openedAt: instant,
  /** The task and every lease in it end no later. */
  notAfter: instant,
  closedAt: instant.nullable(),
})
export type TaskBody = z.output<typeof taskSchema>

export const openTaskResponse = z.object({
  task: taskSchema,
  taskToken: z.string().min(1),
  taskTokenExpiresAt: instant,
})

export const taskResponse = z.object({ task: taskSchema })

export const closeTaskResponse = z.object({
  task: taskSchema,
  /** The leases whose revocation the close has set off. */
  leaseIds: z.array(leaseId),
})
export type CloseTaskResponse = z.output<typeof closeTaskResponse>
