import type { Task } from '@mayfly/core'
import { z } from 'zod'

/** For raw statements: the row in the shape that Prisma gives it. */
export const TASK_COLUMNS = `
  id, agent, owner, environment, issuer, subject, claims, intent, declarations,
  opened_at AS "openedAt", not_after AS "notAfter", closed_at AS "closedAt"`

const rowSchema = z.object({
  id: z.string(),
  agent: z.string(),
  owner: z.string(),
  environment: z.string(),
  issuer: z.string(),
  subject: z.string(),
  claims: z.record(z.string(), z.json()),
  intent: z.strictObject({ reason: z.string(), ticket: z.string().exactOptional() }),
  declarations: z.array(
    z.strictObject({
      template: z.string(),
      actions: z.array(z.string()),
      parameters: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
    }),
  ),
  openedAt: z.date(),
  notAfter: z.date(),
  closedAt: z.date().nullable(),
})

export function taskOf(row: unknown): Task {
  return rowSchema.parse(row)
}
