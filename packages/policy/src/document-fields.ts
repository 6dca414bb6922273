import { z } from 'zod'

import { compilePattern } from './text-pattern.ts'

const UNIT_SECONDS = { s: 1, m: 60, h: 3600 } as const

/** `30s`, `10m`, `1h`, as seconds. */
export const duration = z
  .string()
  .regex(/^[1-9]\d{0,6}[smh]$/, 'must be a duration such as 30s, 10m or 1h')
  .transform((text) => {
    const unit = text.at(-1) as keyof typeof UNIT_SECONDS // the expression above leaves no other
    return Number(text.slice(0, -1)) * UNIT_SECONDS[unit]
  })

/** Names go into ids, URLs and log lines. */
export const name = z
  .string()
  .max(63)
  .regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, 'must be lower-case letters, digits and dashes')

/** A person, by e-mail address or directory id. */
export const ownerName = z
  .string()
  .max(254)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._@+-]*$/)

/** Agents, issuers and templates meet only within one (R23). */
export const environment = name.describe('an environment')

/** An RE2 expression that has to match the whole value. */
export const pattern = z
  .string()
  .min(1)
  .max(1000)
  .superRefine((expression, context) => {
    const compiled = compilePattern(expression)
    if (!compiled.ok) context.addIssue({ code: 'custom', message: compiled.problem })
  })

/** Days, for people: `2027-03-01` is its first instant in UTC. */
export const day = z.iso.date().transform((text) => new Date(`${text}T00:00:00Z`))
