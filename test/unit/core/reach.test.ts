import { expect, test } from '@jest/globals'

import { makeWorld, REQUEST, TASK } from './world.ts'

test('R92 a lease names the resource that policy decided on, before anything is minted', async () => {
  const world = makeWorld()
  let targets: readonly string[] | undefined
  world.duringMint(async () => {
    targets = (await world.leases.find('lea_1'))?.targets
  })
  const input = { task: TASK, request: REQUEST, idempotency: null }
  await world.issue(input, new AbortController().signal)
  expect(targets).toEqual(['vault:path:kv/data/app', 'resource:secretpath:kv/data/app'])
})
