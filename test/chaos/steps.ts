import type { Gate } from './gate.ts'

/** Every step that changes something outside the process, of issue, revocation, containment and webhook. */
export const STEPS = [
  'leases.open',
  'queue.schedule',
  'provider.mint',
  'leases.activate',
  'leases.fail',
  'leases.surrender',
  'leases.end',
  'leases.delivered',
  'leases.claim',
  'provider.revoke',
  'provider.verifyDead',
  'leases.settle',
  'tasks.close',
  'freezes.create',
  'freezes.lift',
  'containments.begin',
  'containments.collect',
  'containments.endSome',
  'webhooks.claim',
  'webhooks.send',
  'webhooks.settle',
] as const

export type FaultPoint = `${(typeof STEPS)[number]}:${'before' | 'after'}`

/** Does one thing, with a gate before and after it. `key` tells one passage from another. */
export type Through = <Result>(
  step: (typeof STEPS)[number],
  key: string,
  call: () => Promise<Result>,
) => Promise<Result>

export function makeThrough(gate: Gate): Through {
  return async (step, key, call) => {
    await gate.at(`${step}:before`, key)
    const result = await call()
    await gate.at(`${step}:after`, key)
    return result
  }
}
