import type { Json, JsonObject } from './json.ts'

/**
 * What an audit event may tell beyond its type and ids. Names are added when somebody needs them:
 * free text of agents (intents, parameters), fingerprints and token ids stay in the audit log.
 */
const TOLD = [
  'actions',
  'attempt',
  'causedBy',
  'closeReason',
  'code',
  'count',
  'credentialExpiresAt',
  'digest',
  'endReason',
  'endedAt',
  'event',
  'expiresAt',
  'freezeId',
  'freezeIds',
  'containmentId',
  'from',
  'incident',
  'irrevocable',
  'leaseIds',
  'leases',
  'note',
  'outcome',
  'proof',
  'reason',
  'retryAt',
  'scope',
  'selector',
  'targets',
  'template',
  'transmitter',
  'ttlSeconds',
  'value',
  'version',
  'webhook',
]

/** The part of an audit event's data that may leave the audit log, by an allow-list of names. */
export function eventFacts(data: JsonObject): JsonObject {
  return Object.fromEntries(
    TOLD.flatMap((name) => {
      const value = Object.hasOwn(data, name) ? data[name] : undefined
      return value !== undefined && isFlat(value) ? [[name, value]] : []
    }),
  )
}

/** One level deep at most, so that no name of the list can carry a document along. */
function isFlat(value: Json): boolean {
  if (typeof value !== 'object' || value === null) return true
  return Object.values(value).every((item) => typeof item !== 'object' || item === null)
}
