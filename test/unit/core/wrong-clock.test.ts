import { describe, expect, test } from '@jest/globals'
import { makeRevokeLease, Secret, type ClaimedLease } from '@mayfly/core'

import { makeWorld, NOON, REQUEST, TASK } from './world.ts'

const here = new AbortController().signal

describe('a broker whose own clock is wrong', () => {
  test.each([5, -5])('%i minutes: a mint is told the time of the database', async (minutes) => {
    const world = makeWorld({ clockAheadMs: minutes * 60_000 })
    await world.issue({ task: TASK, request: REQUEST, idempotency: null }, here)
    expect(world.mints.map(({ now }) => now)).toEqual([NOON])
  })
})

describe('a worker whose own clock is wrong', () => {
  test.each([5, -5])(
    '%i minutes: the provider is told the time of the database',
    async (minutes) => {
      const asked: (Date | undefined)[] = []
      const world = makeWorld()
      const { lease } = await world.issue({ task: TASK, request: REQUEST, idempotency: null }, here)
      const claimed: ClaimedLease = {
        ...{ lease, handle: new Secret('handle'), attempt: 1, from: 'active', sentAt: null },
        now: NOON,
      }
      const revoke = makeRevokeLease({
        leases: {
          claim: () => Promise.resolve({ outcome: 'claimed', claimed }),
          settle: () => Promise.resolve(true),
        },
        providers: {
          get: () =>
            Promise.resolve({
              name: 'aws',
              prepare: () => {
                throw new TypeError('nothing is minted here')
              },
              revoke: (_handle, _signal, now) => {
                asked.push(now)
                return Promise.resolve()
              },
              verifyDead: (_handle, { now }) => {
                asked.push(now)
                return Promise.resolve({ dead: true, proof: 'gone' })
              },
            }),
        },
        clock: { now: () => new Date(NOON.getTime() + minutes * 60_000) },
        retry: { baseSeconds: 1, capSeconds: 60, random: () => 0.5 },
        visibilitySeconds: 30,
      })
      expect(await revoke(lease.id, here)).toEqual({ outcome: 'revoked' })
      expect(asked).toEqual([NOON, NOON])
    },
  )
})
