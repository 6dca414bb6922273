import { expect, test } from '@jest/globals'
import {
  makeRevokeLease,
  Secret,
  type CredentialProvider,
  type Lease,
  type Settlement,
} from '@mayfly/core'

const NOON = new Date('2026-11-23T12:00:00Z')
const later = (seconds: number): Date => new Date(NOON.getTime() + seconds * 1000)

test('R76 a revocation that the provider had to repeat counts from then, not from the first', async () => {
  const settled: Settlement[] = []
  const death = {
    dead: false,
    reason: 'propagating',
    retryAt: later(150),
    sentAt: later(90),
  } as const
  const provider: CredentialProvider = {
    name: 'aws',
    prepare: () => {
      throw new Error('nothing is minted here')
    },
    revoke: () => Promise.resolve(),
    verifyDead: () => Promise.resolve(death),
  }
  const lease = { id: 'lea_1', connection: 'aws-acme', policySetVersion: 1 } as Lease // all that is read
  const revoke = makeRevokeLease({
    leases: {
      claim: () =>
        Promise.resolve({
          outcome: 'claimed',
          claimed: {
            ...{ lease, handle: new Secret('h'), attempt: 2, from: 'revoking' },
            ...{ sentAt: NOON, now: later(90) },
          },
        }),
      settle: (_claimed, settlement) => Promise.resolve(settled.push(settlement) > 0),
    },
    providers: { get: () => Promise.resolve(provider) },
    clock: { now: () => later(90) },
    retry: { baseSeconds: 1, capSeconds: 1, random: () => 0.5 },
    visibilitySeconds: 30,
  })
  await revoke('lea_1', new AbortController().signal)
  expect(settled).toEqual([
    { to: 'propagating', note: 'propagating', retryAt: later(150), sentAt: later(90) },
  ])
})
