import { createHash } from 'node:crypto'

import { ERRAND_NAMES, type ErrandName } from '../support/errands.ts'
import type { Fault } from './fault-plan.ts'
import { STEPS } from './steps.ts'

/** One thing that happens at one time, chosen by the seed alone. */
export interface Happening {
  readonly atMs: number
  readonly what: What
}

export type What =
  | {
      readonly kind: 'work'
      readonly errands: readonly ErrandName[]
      readonly ttlSeconds: number
      readonly ends: 'by itself' | 'closed' | 'revoked' | 'contained'
      readonly afterMs: number
    }
  | { readonly kind: 'kill'; readonly app: 'broker' | 'worker' }
  | { readonly kind: 'terminate'; readonly app: 'broker' | 'worker' }
  | { readonly kind: 'fault'; readonly fault: Omit<Fault, 'id'> }
  | {
      readonly kind: 'provider'
      readonly provider: 'github' | 'aws' | 'vault'
      readonly at: 'mint' | 'revoke'
      readonly how: 'lost' | 'hang' | 'status'
    }
  | { readonly kind: 'flush' }
  | { readonly kind: 'redis'; readonly awayMs: number }
  | { readonly kind: 'postgres'; readonly awayMs: number }

/** Uniform in [0, 1), the same for the same seed everywhere (splitmix32). */
export function makeRandom(seed: string): () => number {
  let state = createHash('sha256').update(seed).digest().readUInt32LE(0)
  return () => {
    state = (state + 0x9e3779b9) | 0
    let mixed = state ^ (state >>> 16)
    mixed = Math.imul(mixed, 0x21f0aaad)
    mixed ^= mixed >>> 15
    mixed = Math.imul(mixed, 0x735a2d97)
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 4294967296
  }
}

export function makeSchedule(seed: string, lengthMs: number): readonly Happening[] {
  const random = makeRandom(seed)
  const happenings: Happening[] = []
  for (let atMs = 0; atMs < lengthMs; atMs += 200 + random() * 1_000) {
    happenings.push({ atMs: Math.round(atMs), what: anything(random) })
  }
  return happenings
}

type Random = () => number

function anything(random: Random): What {
  const share = random()
  // A process needs seconds to come back: were it killed more often, no work would ever be done.
  if (share < 0.8) return work(random)
  if (share < 0.82) return { kind: 'kill', app: pick(random, ['broker', 'worker']) }
  if (share < 0.83) return { kind: 'terminate', app: pick(random, ['broker', 'worker']) }
  if (share < 0.89) return { kind: 'fault', fault: fault(random) }
  if (share < 0.97) {
    return {
      kind: 'provider',
      provider: pick(random, ['github', 'aws', 'vault']),
      at: pick(random, ['mint', 'revoke']),
      how: pick(random, ['lost', 'hang', 'status']),
    }
  }
  if (share < 0.98) return { kind: 'flush' }
  const awayMs = between(random, 0, 3_000)
  return share < 0.99 ? { kind: 'redis', awayMs } : { kind: 'postgres', awayMs }
}

function work(random: Random): What {
  return {
    kind: 'work',
    errands: ERRAND_NAMES.filter(() => random() < 0.5),
    ttlSeconds: between(random, 2, 8),
    ends: pick(random, ['by itself', 'closed', 'revoked', 'contained']),
    afterMs: between(random, 0, 3_000),
  }
}

function fault(random: Random): Omit<Fault, 'id'> {
  const app = pick<'broker' | 'worker'>(random, ['broker', 'worker'])
  const point = `${pick(random, STEPS)}:${pick(random, ['before', 'after'])}`
  const share = random()
  if (share < 0.4) return { app, point, action: { kind: 'kill', arrivals: 1 } }
  if (share < 0.7) return { app, point, action: { kind: 'drop' } }
  return { app, point, action: { kind: 'hang', milliseconds: between(random, 500, 9_000) } }
}

function between(random: Random, low: number, high: number): number {
  return low + Math.floor(random() * (high - low + 1))
}

function pick<One>(random: Random, ones: readonly [One, ...One[]]): One {
  return ones[Math.floor(random() * ones.length)] ?? ones[0]
}
