import { remembered } from '@mayfly/runtime'
import { expect, test } from '@jest/globals'

test('everybody who asks at once, or soon after, gets one answer to one question', async () => {
  let asked = 0
  const ask = remembered(60_000, () => Promise.resolve((asked += 1)))
  expect(await Promise.all([ask(), ask()])).toEqual([1, 1])
  expect(await ask()).toBe(1)
})

test('an answer that has become old is asked for again', async () => {
  let asked = 0
  const ask = remembered(0, () => Promise.resolve((asked += 1)))
  expect(await ask()).toBe(1)
  expect(await ask()).toBe(2)
})

test('a failure is not remembered', async () => {
  let asked = 0
  const ask = remembered(60_000, () => {
    asked += 1
    return asked === 1 ? Promise.reject(new Error('not now')) : Promise.resolve(asked)
  })
  await expect(ask()).rejects.toThrow('not now')
  expect(await ask()).toBe(2)
})
