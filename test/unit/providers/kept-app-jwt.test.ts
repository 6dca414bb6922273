import { Secret } from '@mayfly/core'
import { keepAppJwt } from '@mayfly/providers'
import { expect, test } from '@jest/globals'

const noon = Date.parse('2026-11-23T12:00:00Z')

function world() {
  const state = { now: noon, key: 'first', failing: false }
  const signatures: string[] = []
  const signAppJwt = keepAppJwt({
    privateKey: () => new Secret(state.key),
    sign: (privateKey) => {
      if (state.failing) return Promise.reject(new Error('the KMS is away'))
      signatures.push(privateKey.reveal())
      return Promise.resolve(`${privateKey.reveal()} ${String(signatures.length)}`)
    },
    clock: { now: () => new Date(state.now) },
  })
  return { state, signatures, signAppJwt }
}

test('mints at the same time and shortly after share one signature', async () => {
  const { state, signAppJwt } = world()
  const together = await Promise.all([signAppJwt(), signAppJwt()])
  state.now += 239_000
  expect([...together, await signAppJwt()]).toEqual(['first 1', 'first 1', 'first 1'])
})

test('it is signed again long before GitHub would refuse it', async () => {
  const { state, signAppJwt } = world()
  await signAppJwt()
  state.now += 240_000
  expect(await signAppJwt()).toBe('first 2')
})

test('a new private key is used at once', async () => {
  const { state, signAppJwt } = world()
  await signAppJwt()
  state.key = 'second'
  expect(await signAppJwt()).toBe('second 2')
})

test('a signature that failed is tried again', async () => {
  const { state, signAppJwt } = world()
  state.failing = true
  await expect(signAppJwt()).rejects.toThrow('the KMS is away')
  state.failing = false
  expect(await signAppJwt()).toBe('first 1')
})
