import { describe, expect, test } from '@jest/globals'
import { MayflyError, retryAt } from '@mayfly/core'

import { makeWorld, NOON, REQUEST, TASK } from './world.ts'

const here = new AbortController().signal
const input = { task: TASK, request: REQUEST, idempotency: null }
const later = (seconds: number): Date => new Date(NOON.getTime() + seconds * 1000)

async function withActiveLease() {
  const world = makeWorld()
  await world.issue(input, here)
  world.leases.delivered('lea_1')
  return world
}

describe('revoking a lease', () => {
  test('before its end nothing happens, and the caller learns when', async () => {
    const world = await withActiveLease()
    expect(await world.revoke('lea_1', here)).toEqual({ outcome: 'not_due', at: later(600) })
    expect(world.live.size).toBe(1)
  })

  test('at its end the credential dies and the proof is kept', async () => {
    const world = await withActiveLease()
    world.advance(600)
    expect(await world.revoke('lea_1', here)).toEqual({ outcome: 'revoked' })
    expect(world.live.size).toBe(0)
    expect(await world.leases.find('lea_1')).toMatchObject({
      state: 'revoked',
      endReason: 'lease_ended',
      endedAt: later(600),
      revokedAt: later(600),
      revocationProof: 'gone',
    })
  })

  test('G5 a credential nobody received is revoked at the delivery deadline', async () => {
    const world = makeWorld()
    await world.issue(input, here)
    world.advance(30)
    expect(await world.revoke('lea_1', here)).toEqual({ outcome: 'revoked' })
    expect((await world.leases.find('lea_1'))?.endReason).toBe('undelivered')
  })

  test('G11 many at once: one acts', async () => {
    const world = await withActiveLease()
    world.advance(600)
    const outcomes = await Promise.all(Array.from({ length: 5 }, () => world.revoke('lea_1', here)))
    expect(outcomes.filter(({ outcome }) => outcome === 'revoked')).toHaveLength(1)
    expect(world.diary.filter((entry) => entry === 'revoke')).toHaveLength(1)
  })

  test('G2 it is not called revoked before the provider agrees', async () => {
    const world = await withActiveLease()
    world.propagateUntil(later(610))
    world.advance(600)

    expect(await world.revoke('lea_1', here)).toMatchObject({ outcome: 'retry', at: later(610) })
    expect(await world.leases.find('lea_1')).toMatchObject({ state: 'revoking', revokedAt: null })

    world.advance(10)
    expect(await world.revoke('lea_1', here)).toEqual({ outcome: 'revoked' })
  })

  test('G3 R91 a provider that is down is asked again, for as long as the credential may live', async () => {
    const world = await withActiveLease()
    world.advance(600)
    world.failRevoke(new MayflyError('provider_unavailable', 'down', { retryable: true }))

    for (let attempt = 1; world.clock.now() < later(3_600); attempt += 1) {
      const outcome = await world.revoke('lea_1', here)
      if (outcome.outcome !== 'retry')
        throw new Error(`attempt ${String(attempt)}: ${outcome.outcome}`)
      world.advance((outcome.at.getTime() - world.clock.now().getTime()) / 1000)
    }
    expect((await world.leases.find('lea_1'))?.state).toBe('revocation_failed')

    world.failRevoke(null)
    expect(await world.revoke('lea_1', here)).toEqual({ outcome: 'revoked' })
  })

  test('a note on a failed revocation holds no text that was not ours', async () => {
    const world = await withActiveLease()
    world.advance(600)
    world.failRevoke(new Error('token-of-lea_1 was refused'))
    expect(await world.revoke('lea_1', here)).toMatchObject({ note: 'internal error' })
  })

  test('a worker that lost its claim cannot settle for the one that has it', async () => {
    const world = await withActiveLease()
    world.advance(600)
    const slow = await world.leases.claim('lea_1', 30)
    if (slow.outcome !== 'claimed') throw new Error('not claimed')
    world.advance(31)
    const fast = await world.leases.claim('lea_1', 30)
    expect(fast.outcome).toBe('claimed')
    expect(await world.leases.settle(slow.claimed, { to: 'revoked', proof: 'stale' })).toBe(false)
  })
})

describe('ending a lease early', () => {
  test('answers with the proof when the provider is quick', async () => {
    const world = await withActiveLease()
    const lease = await world.end('lea_1', 'holder', here)
    expect([lease.state, lease.endReason, lease.endedAt]).toEqual(['revoked', 'holder', NOON])
  })

  test('answers honestly when the provider is down, and wakes a worker later', async () => {
    const world = await withActiveLease()
    world.failRevoke(new MayflyError('provider_unavailable', 'down', { retryable: true }))
    const lease = await world.end('lea_1', 'holder', here)
    expect([lease.state, lease.revokedAt]).toEqual(['revocation_failed', null])
    expect(world.diary.at(-1)).toBe(`schedule ${later(1).toISOString()}`)
  })

  test('twice changes nothing', async () => {
    const world = await withActiveLease()
    const first = await world.end('lea_1', 'holder', here)
    expect(await world.end('lea_1', 'operator', here)).toEqual(first)
  })
})

describe('the retry policy', () => {
  const policy = { baseSeconds: 1, capSeconds: 60, random: () => 0.5 }
  const delay = (attempt: number, error: unknown = new Error('x')) =>
    (retryAt(policy, { attempt, now: NOON, error }).getTime() - NOON.getTime()) / 1000

  test('doubles up to its cap', () => {
    expect([1, 2, 3, 6, 7, 8, 500].map((attempt) => delay(attempt))).toEqual([
      1, 2, 4, 32, 60, 60, 60,
    ])
  })

  test('never asks sooner than the provider said', () => {
    const throttled = new MayflyError('provider_throttled', 'slow down', { retryAfterSeconds: 300 })
    expect(delay(1, throttled)).toBe(300)
  })
})
