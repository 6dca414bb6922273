import { makeReadiness, stopTaking } from '@mayfly/worker'
import { describe, expect, test } from '@jest/globals'

const noon = new Date('2026-11-23T12:00:00Z')
const ago = (seconds: number): Date => new Date(noon.getTime() - seconds * 1_000)

const none = { count: 0, oldestDueAt: null }

function readiness(
  overdue: () => Promise<{ count: number; oldestDueAt: Date | null }>,
  secondsSincePass = 1,
): Promise<Record<string, boolean>> {
  return makeReadiness({
    overdue,
    secondsSincePass: () => secondsSincePass,
    sweepIntervalMs: 2_000,
    lagObjectiveSeconds: 60,
    clock: { now: () => noon },
  })()
}

describe('R96 the worker is ready', () => {
  test('while it sweeps and nothing waits for long', async () => {
    const all = { database: true, sweep: true, lag: true }
    expect(await readiness(() => Promise.resolve(none))).toEqual(all)
    expect(await readiness(() => Promise.resolve({ count: 9, oldestDueAt: ago(59) }))).toEqual(all)
  })

  test('not when a lease has been due for a minute', async () => {
    const checks = await readiness(() => Promise.resolve({ count: 1, oldestDueAt: ago(60) }))
    expect(checks).toEqual({ database: true, sweep: true, lag: false })
  })

  test('not when no pass has gone through for a minute', async () => {
    const checks = await readiness(() => Promise.resolve(none), 60)
    expect(checks).toEqual({ database: true, sweep: false, lag: true })
  })

  test('not without its database', async () => {
    const checks = await readiness(() => Promise.reject(new Error('no database')))
    expect(checks).toEqual({ database: false, sweep: true, lag: false })
  })
})

describe('stopping', () => {
  test('waits for what is in hand, and cuts nothing that ends in time', async () => {
    const cut = new AbortController()
    await stopTaking([{ stop: () => Promise.resolve() }], { graceMs: 5_000, cut })
    expect(cut.signal.aborted).toBe(false)
  })

  test('cuts off what outlasts the grace', async () => {
    const cut = new AbortController()
    const stubborn = new Promise<void>((resolve) => {
      cut.signal.addEventListener('abort', () => {
        resolve()
      })
    })
    await stopTaking([{ stop: () => stubborn }], { graceMs: 10, cut })
    expect(cut.signal.aborted).toBe(true)
  })
})
