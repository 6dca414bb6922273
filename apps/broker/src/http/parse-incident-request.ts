import { MayflyError, type ErrorCode } from '@mayfly/core'
import type { z } from 'zod'

import { parseRequest } from './parse-request.ts'

/**
 * What a responder sent, as the schema has it. A selector that is not understood has codes of its
 * own, because the field that was dropped could be the one that narrows it.
 */
export function parseIncidentRequest<Schema extends z.ZodType>(
  schema: Schema,
  input: unknown,
): z.output<Schema> {
  const parsed = schema.safeParse(input)
  if (parsed.success) return parsed.data
  const issues = parsed.error.issues.map(({ path, message }) => ({
    path: path.map(String).join('.'),
    message,
  }))
  const unknown = parsed.error.issues.find(
    ({ code, path }) => code === 'unrecognized_keys' && path[0] === 'selector',
  )
  if (unknown?.code === 'unrecognized_keys') {
    throw new MayflyError('selector_field_unknown', 'the selector has an unknown field', {
      details: { fields: unknown.keys },
    })
  }
  for (const [field, code] of FIELDS) {
    const issue = issues.find(({ path }) => path === field || path.startsWith(`${field}.`))
    if (issue)
      throw new MayflyError(code, `${issue.path}: ${issue.message}`, { details: { issues } })
  }
  return parseRequest(schema, input)
}

const FIELDS: readonly (readonly [field: string, code: ErrorCode])[] = [
  ['selector', 'selector_invalid'],
  ['reason', 'reason_required'],
  ['incident', 'incident_required'],
]

/** The text, unless there is nothing in it. */
export function required(
  text: string | undefined,
  code: 'reason_required' | 'incident_required',
): string {
  if (text !== undefined && text.trim() !== '') return text
  throw new MayflyError(code, code === 'reason_required' ? 'say why' : 'name the incident')
}
