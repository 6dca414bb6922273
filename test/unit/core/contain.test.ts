import { expect, test } from '@jest/globals'
import {
  makeContain,
  makeEndContained,
  makeResumeContainments,
  MayflyError,
  type Containment,
} from '@mayfly/core'

const asked = {
  ...{ selector: { agent: 'a' }, reason: 'r', incident: 'INC-1', by: 'people#r' },
  ...{ freezeUntil: null, idempotency: null },
}

/** Containments of ten leases each, in memory, with a diary. */
function makeWorld() {
  const diary: string[] = []
  const left = new Map<string, number>()
  const containments = {
    begin: ({ id, freezeId }: { id: string; freezeId: string }) => {
      diary.push(`freeze ${freezeId}`)
      left.set(id, 10)
      return Promise.resolve({ id, started: true })
    },
    collect: (id: string) => Promise.resolve(void diary.push(`collect ${id}`)),
    endSome: (id: string, limit: number) => {
      const count = Math.min(limit, left.get(id) ?? 0)
      left.set(id, (left.get(id) ?? 0) - count)
      diary.push(`end ${String(count)} of ${id}`)
      return Promise.resolve(count)
    },
    unended: () => Promise.resolve([...left].filter(([, count]) => count > 0).map(([id]) => id)),
    // Only its state matters here.
    find: (id: string) => Promise.resolve({ id, state: 'ending' } as Containment),
  }
  const deps = {
    containments,
    batchSize: 4,
    newId: (prefix: string) => `${prefix}_1`,
    report: (message: string) => void diary.push(message),
  }
  return { diary, left, deps }
}

test('G10 R92 freezes before anything else, and answers without waiting for the endings', async () => {
  const { diary, deps } = makeWorld()
  const ending: string[] = []
  const contain = makeContain(deps, (id) => {
    ending.push(id)
    return new Promise(() => undefined)
  })
  expect(await contain(asked)).toMatchObject({ containment: { id: 'cnt_1' }, started: true })
  expect([diary, ending]).toEqual([['freeze frz_1', 'collect cnt_1'], ['cnt_1']])
})

test('an ending that fails is left to the workers, and the caller has an answer', async () => {
  const { diary, deps } = makeWorld()
  const contain = makeContain(deps, () =>
    Promise.reject(new MayflyError('database_unavailable', 'x')),
  )
  await contain(asked)
  expect(diary.at(-1)).toBe('a containment was left to the workers')
})

test('ends batch by batch until none are left', async () => {
  const { diary, deps } = makeWorld()
  await makeContain(deps, () => Promise.resolve(0))(asked)
  expect(await makeEndContained(deps)('cnt_1')).toBe(10)
  expect(diary.slice(-4)).toEqual([
    'end 4 of cnt_1',
    'end 4 of cnt_1',
    'end 2 of cnt_1',
    'end 0 of cnt_1',
  ])
})

test('R92 what was left unended is gone on with, whatever one of them does', async () => {
  const { diary, left, deps } = makeWorld()
  left.set('cnt_poison', 10).set('cnt_2', 3)
  const end = makeEndContained(deps)
  const resume = makeResumeContainments(deps, (id) =>
    id === 'cnt_poison' ? Promise.reject(new Error('poison')) : end(id),
  )
  expect(await resume()).toBe(3)
  expect(diary).toContain('a containment could not be gone on with')
})

test('nothing is asked of the database for a selector that selects by accident', async () => {
  const { diary, deps } = makeWorld()
  const contain = makeContain(deps, () => Promise.resolve(0))
  await expect(contain({ ...asked, selector: {} })).rejects.toMatchObject({
    code: 'selector_empty',
  })
  expect(diary).toEqual([])
})
