import { expect, test } from '@jest/globals'
import {
  assertTransition,
  isTerminal,
  LEASE_TRANSITIONS,
  mayBeLive,
  statesBefore,
  type LeaseState,
} from '@mayfly/core'
import fc from 'fast-check'

const states = Object.keys(LEASE_TRANSITIONS) as LeaseState[]
const anyState = fc.constantFrom(...states)

test('R88 no walk through the table leaves a terminal state', () => {
  fc.assert(
    fc.property(anyState, anyState, (from, to) => {
      if (isTerminal(from))
        expect(() => {
          assertTransition('lea_1', from, to)
        }).toThrow()
    }),
  )
})

test('R88 from every state a terminal one can be reached', () => {
  const reachesEnd = (state: LeaseState, seen: ReadonlySet<LeaseState> = new Set()): boolean =>
    isTerminal(state) ||
    LEASE_TRANSITIONS[state].some(
      (next) => !seen.has(next) && reachesEnd(next, new Set([...seen, state])),
    )
  expect(states.filter((state) => !reachesEnd(state))).toEqual([])
})

test('G2 revoked is reached only through revoking', () => {
  expect(statesBefore('revoked')).toEqual(['revoking'])
})

test('only a terminal state or the provider’s own clock says that a credential is dead', () => {
  const now = new Date()
  const future = new Date(now.getTime() + 1)
  const live = states.filter((state) => mayBeLive({ state, credentialExpiresAt: future }, now))
  expect(live).toEqual(['pending', 'active', 'revoking', 'revocation_failed'])
  expect(states.some((state) => mayBeLive({ state, credentialExpiresAt: now }, now))).toBe(false)
})
