import { describe, expect, test } from '@jest/globals'
import { makeIds, makeMetrics, makeShutdown } from '@mayfly/runtime'

describe('shutdown', () => {
  test('undoes the start in reverse, waiting for each step', async () => {
    const diary: string[] = []
    const shutdown = makeShutdown({ stepMilliseconds: 1000, onError: () => diary.push('error') })
    for (const name of ['database', 'queue', 'http']) {
      shutdown.add(name, async () => {
        diary.push(`${name} stopping`)
        await new Promise(setImmediate)
        diary.push(`${name} stopped`)
      })
    }
    await shutdown.run()
    expect(diary).toEqual([
      'http stopping',
      'http stopped',
      'queue stopping',
      'queue stopped',
      'database stopping',
      'database stopped',
    ])
  })

  test('a step that fails or hangs is reported and does not keep the others', async () => {
    const diary: unknown[] = []
    const shutdown = makeShutdown({
      stepMilliseconds: 20,
      onError: (step, error) => diary.push([step, (error as Error).message]),
    })
    shutdown.add('first', () => diary.push('first'))
    shutdown.add('throws', () => {
      throw new Error('broken')
    })
    shutdown.add('hangs', () => new Promise(() => undefined))
    await shutdown.run()
    expect(diary).toEqual([['hangs', 'did not stop within 20 ms'], ['throws', 'broken'], 'first'])
  })

  test('runs once, however many ask', async () => {
    let count = 0
    const shutdown = makeShutdown({ stepMilliseconds: 1000, onError: () => undefined })
    shutdown.add('it', () => (count += 1))
    await Promise.all([shutdown.run(), shutdown.run()])
    expect(count).toBe(1)
  })
})

describe('ids', () => {
  test('carry their prefix, and sort in the order in which they were made', () => {
    const newId = makeIds()
    const ids = Array.from({ length: 1000 }, () => newId('lea'))
    for (const id of ids) expect(id).toMatch(/^lea_[0-9A-HJKMNP-TV-Z]{26}$/)
    expect(ids.toSorted()).toEqual(ids)
    expect(new Set(ids).size).toBe(1000)
  })
})

describe('metrics', () => {
  test('are rendered for Prometheus, and two registries do not share them', async () => {
    const one = makeMetrics()
    const other = makeMetrics()
    const series = { name: 'mayfly_x_total', help: 'x', labels: ['outcome'] } as const
    one.counter(series)({ outcome: 'ok' })
    other.counter(series)
    one.durations({ name: 'mayfly_y_seconds', help: 'y', labels: ['stage'] })({ stage: 'a' }, 0.2)

    const { contentType, text } = await one.render()
    expect(contentType).toMatch(/^text\/plain/)
    expect(text).toContain('mayfly_x_total{outcome="ok"} 1')
    expect(text).toContain('mayfly_y_seconds_bucket{le="0.25",stage="a"} 1')
    expect((await other.render()).text).not.toContain('outcome="ok"')
  })
})
