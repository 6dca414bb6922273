import { makeNap, makePatience } from '@mayfly/worker'
import { expect, test } from '@jest/globals'

const AN_HOUR = 3_600_000

test('a nap ends when woken', async () => {
  const nap = makeNap()
  const sleeping = nap.sleep(AN_HOUR)
  nap.wake()
  await sleeping
})

test('a call that came while nobody slept ends the next nap, and only that', async () => {
  const nap = makeNap()
  nap.wake()
  nap.wake()
  await nap.sleep(AN_HOUR)
  let awake = false
  const sleeping = nap.sleep(AN_HOUR).then(() => (awake = true))
  await new Promise(setImmediate)
  expect(awake).toBe(false)
  nap.wake()
  await sleeping
})

test('however many are patient, they wait together', async () => {
  const patience = makePatience(5)
  expect(patience()).toBe(patience())
  const first = patience()
  await first
  expect(patience()).not.toBe(first)
})
