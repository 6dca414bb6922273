import { describe, expect, test } from '@jest/globals'

import { compare, type IssuedCredential, type LeaseRecord } from '../../chaos/invariant.ts'
import { makeSchedule } from '../../chaos/random-schedule.ts'

const NOON = new Date('2026-11-23T12:00:00Z')
const later = (seconds: number): Date => new Date(NOON.getTime() + seconds * 1000)

function lease(more: Partial<LeaseRecord>): LeaseRecord {
  return {
    id: 'lea_1',
    provider: 'github',
    template: 'repo',
    state: 'active',
    fingerprints: ['print'],
    created_at: NOON,
    irrevocable_dies_at: null,
    sent_at: null,
    revocation_proof: null,
    ...more,
  }
}

function credential(more: Partial<IssuedCredential>): IssuedCredential {
  return {
    provider: 'github',
    id: 'print',
    leaseId: null,
    fingerprint: 'print',
    issuedAt: later(1),
    expiresAt: later(3600),
    live: true,
    ...more,
  }
}

describe('what the crash matrix calls broken', () => {
  test('a credential that works is live, whatever its lease is about to do', () => {
    const one = credential({})
    expect(compare([lease({ state: 'revoking' })], [one])).toMatchObject({
      live: [one],
      broken: [],
    })
  })

  test('G1 a credential without a lease is broken, even when it is dead', () => {
    const { broken } = compare([lease({})], [credential({ fingerprint: 'other', live: false })])
    expect(broken).toEqual(['github issued print, which no lease knows of'])
  })

  test('a credential that is younger than what is known of the leases is live, and judged later', () => {
    const lost = lease({ state: 'failed', fingerprints: null })
    const one = credential({})
    expect(compare([lost], [one], [one])).toMatchObject({ live: [one], broken: [] })
    expect(compare([lost], [one]).broken).toHaveLength(1)
  })

  test.each(['revoked', 'failed', 'expired'])(
    'a lease that is %s has no working credential',
    (state) => {
      const { broken } = compare([lease({ state, revocation_proof: 'a lie' })], [credential({})])
      expect(broken).toEqual([`lea_1 is ${state} (a lie), and its github credential works`])
    },
  )

  test('a session or a token of Vault is found by the id of its lease', () => {
    const leases = [lease({ id: 'lea_a', provider: 'aws', fingerprints: null, state: 'revoked' })]
    const session = credential({ provider: 'aws', leaseId: 'lea_a', live: false })
    expect(compare(leases, [session]).broken).toEqual([])
    expect(compare(leases, [{ ...session, leaseId: 'lea_b' }]).broken).toHaveLength(1)
  })

  test('an irrevocable lease excuses one lost token, and only until it says that the token dies', () => {
    const lost = lease({ fingerprints: null, state: 'revocation_failed' })
    const token = credential({})
    const until = (diesAt: Date): LeaseRecord => ({ ...lost, irrevocable_dies_at: diesAt })
    expect(compare([until(later(3600))], [token])).toMatchObject({ live: [], irrevocable: [token] })
    expect(compare([until(later(3599))], [token])).toMatchObject({ live: [token] })
    const two = [token, credential({ id: 'second', fingerprint: 'second' })]
    expect(compare([until(later(3600))], two).broken).toHaveLength(1)
  })
})

describe('the random schedule', () => {
  test('is the same for the same seed, and another for another', () => {
    const schedule = makeSchedule('4711', 60_000)
    expect(makeSchedule('4711', 60_000)).toEqual(schedule)
    expect(makeSchedule('4712', 60_000)).not.toEqual(schedule)
    expect(new Set(schedule.map(({ what }) => what.kind)).size).toBeGreaterThan(4)
  })
})
