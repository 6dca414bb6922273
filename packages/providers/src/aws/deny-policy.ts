import { z } from 'zod'

/** The inline policy that Mayfly owns on a role. */
export const DENY_POLICY_NAME = 'MayflyRevokedSessions'
/** The name that the AWS console gives to a cut-off. It can be a person's as well as ours. */
export const OLDER_SESSIONS_POLICY_NAME = 'AWSRevokeOlderSessions'

/**
 * All inline policies of a role share 10,240 characters. What is kept free here is enough for the
 * policy above, so that the way out of an overflow is not itself blocked by it, and for a kilobyte
 * of the role's own rights.
 */
export const MAX_INLINE_CHARACTERS = 10_240 - 240 - 1000
/** One managed policy (IAM and STS character quotas). */
export const MAX_MANAGED_CHARACTERS = 6144

const SESSION_NAME = /^[\w+=,.@-]{2,64}$/

/** Denies everything to the sessions of these names. Sorted, so that equal sets are equal documents. */
export function denyDocument(sessionNames: readonly string[]): string {
  const patterns = [...new Set(sessionNames)].sort().map((name) => `*:${name}`)
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Sid: DENY_POLICY_NAME,
        Effect: 'Deny',
        Action: '*',
        Resource: '*',
        Condition: { StringLike: { 'aws:userid': patterns } },
      },
    ],
  })
}

/** Denies everything to sessions issued before `instant`. */
export function olderSessionsDocument(instant: Date): string {
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Deny',
        Action: ['*'],
        Resource: ['*'],
        Condition: { DateLessThan: { 'aws:TokenIssueTime': instant.toISOString() } },
      },
    ],
  })
}

const oneOrMore = z.union([z.string().transform((one) => [one]), z.array(z.string())])
const everything = z.union([z.literal('*'), z.tuple([z.literal('*')])])
const deny = {
  Sid: z.string().optional(),
  Effect: z.literal('Deny'),
  Action: everything,
  Resource: everything,
}
const denySchema = z.strictObject({
  Version: z.string(),
  Statement: z.tuple([
    z.strictObject({
      ...deny,
      Condition: z.strictObject({ StringLike: z.strictObject({ 'aws:userid': oneOrMore }) }),
    }),
  ]),
})
const olderSchema = z.strictObject({
  Version: z.string(),
  Statement: z.tuple([
    z.strictObject({
      ...deny,
      Condition: z.strictObject({
        DateLessThan: z.strictObject({ 'aws:TokenIssueTime': z.iso.datetime() }),
      }),
    }),
  ]),
})

/** The sessions that a document read back from IAM denies. Null when it is not one that we wrote. */
export function deniedSessionNames(document: string): readonly string[] | null {
  const parsed = denySchema.safeParse(json(document))
  if (!parsed.success) return null
  const patterns = parsed.data.Statement[0].Condition.StringLike['aws:userid']
  const names = patterns.map((pattern) => pattern.slice(2))
  const ours = patterns.every((pattern) => pattern.startsWith('*:'))
  return ours && names.every((name) => SESSION_NAME.test(name)) ? names : null
}

/** The instant before which sessions are denied, if the document read back from IAM does that. */
export function deniedBefore(document: string | null): Date | null {
  const parsed = olderSchema.safeParse(json(document))
  return parsed.success
    ? new Date(parsed.data.Statement[0].Condition.DateLessThan['aws:TokenIssueTime'])
    : null
}

function json(document: string | null): unknown {
  try {
    return document === null ? null : JSON.parse(document)
  } catch {
    return null // someone else's text: it denies nothing that we can vouch for
  }
}
