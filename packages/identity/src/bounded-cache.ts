import type { Clock } from '@mayfly/core'

export interface BoundedCache<Value> {
  get(key: string): Value | undefined
  set(key: string, value: Value, until: Date): void
}

/** Keeps the `max` most recently used values, each until its own instant. */
export function makeBoundedCache<Value>(max: number, clock: Clock): BoundedCache<Value> {
  const entries = new Map<string, { readonly value: Value; readonly until: Date }>()
  return {
    get(key) {
      const entry = entries.get(key)
      if (!entry) return undefined
      entries.delete(key)
      if (entry.until <= clock.now()) return undefined
      entries.set(key, entry)
      return entry.value
    },
    set(key, value, until) {
      entries.delete(key)
      entries.set(key, { value, until })
      const [oldest] = entries.keys()
      if (entries.size > max && oldest !== undefined) entries.delete(oldest)
    },
  }
}
