import { z } from 'zod'

/**
 * Requests are strict: an unknown field is refused, because it may be a restriction that the caller
 * believes in and this broker would ignore. Answers are not, so that a client keeps working with a
 * newer broker that says more.
 */
export const taskId = z.string().regex(/^tsk_[0-9A-Za-z]{1,60}$/)
export const leaseId = z.string().regex(/^lea_[0-9A-Za-z]{1,60}$/)

/** ISO 8601 in UTC. Kept as text, so that what a client prints is what the broker said. */
export const instant = z.iso.datetime()

/** Lets every integer through: zero and below have their own error code, `ttl_invalid`. */
export const ttlSeconds = z.int().meta({ minimum: 1, examples: [600] })

const name = z.string().min(1).max(200)

/** What a caller may ask for; the template decides which of it is valid. */
export const templateName = name
export const requestedActions = z.array(name).min(1).max(50)
export const requestedParameters = z.record(
  name,
  z.union([z.string().max(2000), z.number(), z.boolean()]),
)

/** Text for people. It has no say in any decision. */
export const reason = z.string().min(1).max(2000)

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

/** Any JSON: it was parsed from text, so there is nothing left to check. */
const json = z.unknown() as unknown as z.ZodType<Json, Json> // `z.json()` would check it all again

export const jsonObject = z.record(z.string(), json)
