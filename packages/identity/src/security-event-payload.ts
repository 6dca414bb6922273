import type { SecurityOccurrence, SecuritySubject } from '@mayfly/core'
import { z } from 'zod'

/** Goes into the audit trail and into selectors, so it has no control characters. */
const text = z
  .string()
  .min(1)
  .max(2048)
  .regex(/^\P{Cc}+$/u)

const simpleSubject = z.discriminatedUnion('format', [
  z.object({ format: z.literal('email'), email: text }),
  z.object({ format: z.literal('iss_sub'), iss: text, sub: text }),
  z.object({ format: z.literal('opaque'), id: text }),
  z.object({ format: z.literal('jwt_id'), iss: text, jti: text }),
])

/** SSF 1.0 section 3.3: of all that an event can be about at once, its user is whom Mayfly knows. */
const complexSubject = z
  .looseObject({ format: z.literal('complex'), user: simpleSubject })
  .transform(({ user }) => user)

const subjectSchema = z.union([simpleSubject, complexSubject]) satisfies z.ZodType<SecuritySubject>

const CAEP = 'https://schemas.openid.net/secevent/caep/event-type/'
const VERIFICATION = 'https://schemas.openid.net/secevent/ssf/event-type/verification'

const OCCURRENCES: ReadonlyMap<string, z.ZodType<SecurityOccurrence>> = new Map<
  string,
  z.ZodType<SecurityOccurrence>
>([
  [`${CAEP}session-revoked`, z.looseObject({}).transform(() => ({ event: 'session-revoked' }))],
  [
    `${CAEP}credential-change`,
    z
      .looseObject({ change_type: z.enum(['create', 'revoke', 'update', 'delete']) })
      .transform(({ change_type: changeType }) => ({ event: 'credential-change', changeType })),
  ],
  [
    `${CAEP}risk-level-change`,
    z
      .looseObject({ current_level: z.enum(['LOW', 'MEDIUM', 'HIGH']) })
      .transform(({ current_level: currentLevel }) => ({
        event: 'risk-level-change',
        currentLevel,
      })),
  ],
  [
    `${CAEP}device-compliance-change`,
    z
      .looseObject({ current_status: z.enum(['compliant', 'not-compliant']) })
      .transform(({ current_status: currentStatus }) => ({
        event: 'device-compliance-change',
        currentStatus,
      })),
  ],
  [VERIFICATION, z.looseObject({}).transform(() => ({ event: 'verification' }))],
])

export const securityEventClaims = z.looseObject({
  jti: z
    .string()
    .min(1)
    .max(256)
    .regex(/^\P{Cc}+$/u),
  iat: z.int().min(0).max(8_640_000_000_000),
  sub_id: z.unknown(),
  events: z.record(z.string(), z.looseObject({ event_timestamp: z.number().min(0).optional() })),
})

export interface SecurityEventPayload {
  readonly occurrence: SecurityOccurrence
  readonly subject: SecuritySubject | null
  /** `event_timestamp`, in seconds. */
  readonly timestamp: number | null
}

/** What the token says happened, and to whom; `null` when that is not what CAEP or SSF describe. */
export function readSecurityEvent({
  events,
  sub_id: subjectId,
}: z.output<typeof securityEventClaims>): SecurityEventPayload | null {
  const [entry, ...others] = Object.entries(events)
  // RFC 8417 allows several aspects of one event, CAEP does not.
  if (!entry || others.length > 0) return null
  const [type, payload] = entry
  const occurrence = occurrenceOf(type, payload)
  if (!occurrence) return null
  const timestamp = payload.event_timestamp ?? null
  if (!isAboutSomebody(occurrence)) return { occurrence, subject: null, timestamp }
  const subject = subjectSchema.safeParse(subjectId)
  return subject.success ? { occurrence, subject: subject.data, timestamp } : null
}

function occurrenceOf(type: string, payload: unknown): SecurityOccurrence | null {
  const schema = OCCURRENCES.get(type)
  if (!schema) return { event: 'other' }
  return schema.safeParse(payload).data ?? null
}

/** Who else is meant is of no interest where nothing follows. */
function isAboutSomebody({ event }: SecurityOccurrence): boolean {
  return event !== 'other' && event !== 'verification'
}
