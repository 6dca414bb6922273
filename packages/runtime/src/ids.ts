import { getRandomValues } from 'node:crypto'

import type { NewId } from '@mayfly/core'
import { monotonicFactory } from 'ulid'

/** Ids such as `lea_01JD…`: a prefix and a ULID, which sort by time even within a millisecond. */
export function makeIds(): NewId {
  const ulid = monotonicFactory(makeRandom())
  return (prefix) => `${prefix}_${ulid()}`
}

/** As unpredictable as ULID's own source, which asks the system anew for each of 16 characters. */
function makeRandom(): () => number {
  const drawn = new Uint32Array(256)
  let used = drawn.length
  return () => {
    if (used === drawn.length) {
      getRandomValues(drawn)
      used = 0
    }
    const value = drawn[used] ?? 0 // the index is always within
    used += 1
    return value / 2 ** 32
  }
}
