import type { NewId } from '@mayfly/core'
import { monotonicFactory } from 'ulid'

/** Ids such as `lea_01JD…`: a prefix and a ULID, which sort by time even within a millisecond. */
export function makeIds(): NewId {
  const ulid = monotonicFactory()
  return (prefix) => `${prefix}_${ulid()}`
}
