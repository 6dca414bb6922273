import { makeBatches } from '@mayfly/core'
import { describe, expect, test } from '@jest/globals'

/** A writer that waits to be told, and keeps a diary of what it was given. */
function heldWriter() {
  const batches: string[][] = []
  const finish: ((error?: Error) => void)[] = []
  const write = (items: readonly string[]): Promise<readonly string[]> =>
    new Promise((resolve, reject) => {
      batches.push([...items])
      finish.push((error) => {
        if (error) reject(error)
        else resolve(items.map((item) => item.toUpperCase()))
      })
    })
  return { batches, write, finish: (index: number, error?: Error) => finish[index]?.(error) }
}

const passed = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

describe('batches', () => {
  test('what comes alone is written at once, what comes meanwhile is written together', async () => {
    const { batches, write, finish } = heldWriter()
    const add = makeBatches({ write, limit: 10 })
    const answers = Promise.all([add('a'), add('b'), add('c')])
    finish(0)
    await passed()
    finish(1)
    expect(await answers).toEqual(['A', 'B', 'C'])
    expect(batches).toEqual([['a'], ['b', 'c']])
  })

  test('nobody is answered before their own batch is written', async () => {
    const { write, finish } = heldWriter()
    const add = makeBatches({ write, limit: 10 })
    const diary: string[] = []
    void add('a').then((answer) => diary.push(answer))
    void add('b').then((answer) => diary.push(answer))
    finish(0)
    await passed()
    expect(diary).toEqual(['A'])
    finish(1)
    await passed()
    expect(diary).toEqual(['A', 'B'])
  })

  test('a batch is no larger than its limit', async () => {
    const batches: number[] = []
    const write = (items: readonly number[]): Promise<readonly number[]> => {
      batches.push(items.length)
      return Promise.resolve(items)
    }
    const add = makeBatches({ write, limit: 2 })
    const items = [1, 2, 3, 4, 5, 6]
    expect(await Promise.all(items.map(add))).toEqual(items)
    expect(batches).toEqual([1, 2, 2, 1])
  })

  test('a batch that fails is told to each of its items, and to nobody else', async () => {
    const { write, finish } = heldWriter()
    const add = makeBatches({ write, limit: 10 })
    const settled = Promise.allSettled([add('a'), add('b'), add('c')])
    finish(0)
    await passed()
    finish(1, new Error('away'))
    expect((await settled).map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'rejected',
    ])
    const later = add('d')
    finish(2)
    expect(await later).toBe('D')
  })

  test('an item that spoils its batch fails alone', async () => {
    const batches: string[][] = []
    const write = (items: readonly string[]): Promise<readonly string[]> => {
      batches.push([...items])
      return items.includes('bad') ? Promise.reject(new Error('bad')) : Promise.resolve(items)
    }
    const add = makeBatches({ write, limit: 10, isolate: () => true })
    const settled = await Promise.allSettled([add('a'), add('b'), add('bad'), add('c')])
    expect(settled.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
    ])
    expect(batches).toEqual([['a'], ['b', 'bad', 'c'], ['b'], ['bad'], ['c']])
  })

  test('a writer that does not answer in full has failed', async () => {
    const add = makeBatches({ write: () => Promise.resolve([]), limit: 10 })
    await expect(add('a')).rejects.toThrow('not answered in full')
  })
})
