import { MayflyError } from '@mayfly/core'
import type { z } from 'zod'

/** What the caller sent, as the schema has it. Throws `invalid_request` with places but no values. */
export function parseRequest<Schema extends z.ZodType>(
  schema: Schema,
  input: unknown,
): z.output<Schema> {
  const parsed = schema.safeParse(input)
  if (parsed.success) return parsed.data
  const issues = parsed.error.issues.map(({ path, message }) => ({
    path: path.map(String).join('.'),
    message,
  }))
  const [first] = issues
  const where = first && first.path !== '' ? `${first.path}: ` : ''
  throw new MayflyError('invalid_request', `${where}${first?.message ?? 'not valid'}`, {
    details: { issues },
  })
}
