import type { Clock } from '@mayfly/core'

export const systemClock: Clock = { now: () => new Date() }
