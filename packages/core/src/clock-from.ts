import type { Clock } from './clock.ts'

/** A clock that shows `now` at this moment and goes on as `clock` does, however wrong that one is. */
export function clockFrom(now: Date, clock: Clock): Clock {
  const aheadMs = clock.now().getTime() - now.getTime()
  return { now: () => new Date(clock.now().getTime() - aheadMs) }
}
