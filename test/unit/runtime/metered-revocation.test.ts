import { Secret, type CredentialProvider } from '@mayfly/core'
import { makeMeteredProviders, makeMetrics } from '@mayfly/runtime'
import { expect, test } from '@jest/globals'

test('a metered provider is told everything that it is told without the meter', async () => {
  const heard: unknown[] = []
  const provider: CredentialProvider = {
    name: 'aws',
    prepare: () => {
      throw new TypeError('nothing is minted here')
    },
    revoke: (...told) => {
      heard.push(told)
      return Promise.resolve()
    },
    verifyDead: (...told) => {
      heard.push(told)
      return Promise.resolve({ dead: true, proof: 'gone' })
    },
  }
  const metered = makeMeteredProviders(makeMetrics())
  const seen = await metered({ get: () => Promise.resolve(provider) }).get('aws-acme', 1)
  const [handle, { signal }] = [new Secret('handle'), new AbortController()]
  const now = new Date('2026-11-23T12:00:00Z')
  const sent = { leaseId: 'lea_1', sentAt: now, now }
  await seen.revoke(handle, signal, now)
  await seen.verifyDead(handle, sent, signal)
  expect(heard).toEqual([
    [handle, signal, now],
    [handle, sent, signal],
  ])
})
