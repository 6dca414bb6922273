import { z } from 'zod'

/**
 * A path in an ACL policy. Only characters that mean nothing to Vault's policy language (`*`, `+`,
 * `{{identity…}}`) or to URLs (`%`, `?`, `#`) get in, so that a parameter can never be more than a
 * name.
 */
export const secretPathSchema = z
  .string()
  .max(512)
  .regex(
    /^[A-Za-z0-9._@:=~-]+(?:\/[A-Za-z0-9._@:=~-]+)*$/,
    'must be names joined by single slashes, without wildcards',
  )
  .refine((path) => !path.split('/').some(isDots), 'must not contain . or ..')
  .refine((path) => !reachesSystem(path), 'must not reach into sys, auth or identity')

/** One name: a mount's role, for instance. */
export const nameSchema = z.string().regex(/^[A-Za-z0-9_-]{1,128}$/, 'must be a name')

function isDots(segment: string): boolean {
  return segment === '.' || segment === '..'
}

const RESERVED = ['sys', 'auth', 'identity']
const KV_WORDS = ['data', 'metadata', 'subkeys', 'delete', 'undelete', 'destroy']

/**
 * A namespace can be written at the front of a path, so `team/sys/policies` administers the
 * namespace `team`. Below a KV mount's own words such a name is only somebody's folder.
 */
function reachesSystem(path: string): boolean {
  const segments = path.toLowerCase().split('/')
  const firstReserved = segments.findIndex((segment) => RESERVED.includes(segment))
  if (firstReserved === -1) return false
  return !segments.slice(1, firstReserved).some((segment) => KV_WORDS.includes(segment))
}

/** Where a secrets engine is mounted, as far as a path shows it. */
export function mountOf(path: string): string {
  const segments = path.split('/')
  const word = segments.findIndex((segment, index) => index > 0 && KV_WORDS.includes(segment))
  return segments.slice(0, word === -1 ? 1 : word).join('/')
}
