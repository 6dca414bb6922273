import type { Sweep, SweepResult } from '@mayfly/core'
import { startSweeper } from '@mayfly/worker'
import { describe, expect, test } from '@jest/globals'

import { until } from '../../support/until.ts'

const idle: SweepResult = { tasksClosed: 0, revoked: 0, retried: 0, more: false }
const AN_HOUR = 3_600_000

interface World {
  readonly diary: string[]
  readonly sweeper: ReturnType<typeof startSweeper>
}

function world(intervalMs: number, sweep: (pass: number) => ReturnType<Sweep>): World {
  const diary: string[] = []
  let pass = 0
  const sweeper = startSweeper({
    sweep: () => {
      pass += 1
      diary.push(`pass ${String(pass)}`)
      return sweep(pass)
    },
    intervalMs,
    random: () => 0.5,
    onPass: ({ succeeded }) => diary.push(succeeded ? 'ok' : 'failed'),
    report: (message, _error, context) => diary.push(`${message} ${JSON.stringify(context)}`),
  })
  return { diary, sweeper }
}

describe('the sweeper', () => {
  test('sweeps at once, and again after the interval', async () => {
    const { diary, sweeper } = world(10, () => Promise.resolve(idle))
    await until(() => diary.length >= 4)
    await sweeper.stop()
    expect(diary.slice(0, 4)).toEqual(['pass 1', 'ok', 'pass 2', 'ok'])
  })

  test('goes on at once while there is more', async () => {
    const { diary, sweeper } = world(AN_HOUR, (pass) =>
      Promise.resolve({ ...idle, revoked: 1, more: pass < 3 }),
    )
    await until(() => diary.length === 6)
    await sweeper.stop()
    expect(diary).toEqual(['pass 1', 'ok', 'pass 2', 'ok', 'pass 3', 'ok'])
  })

  test('does not spin over a full batch in which nothing moves', async () => {
    const { diary, sweeper } = world(AN_HOUR, () => Promise.resolve({ ...idle, more: true }))
    const started = performance.now()
    await until(() => diary.length >= 6)
    await sweeper.stop()
    expect(performance.now() - started).toBeGreaterThan(190)
  })

  test('never begins a pass while another is running', async () => {
    let running = 0
    let most = 0
    const { diary, sweeper } = world(1, async () => {
      running += 1
      most = Math.max(most, running)
      await new Promise((resolve) => setImmediate(resolve))
      running -= 1
      return { ...idle, revoked: 1, more: true }
    })
    await until(() => diary.length > 50)
    await sweeper.stop()
    expect(most).toBe(1)
  })

  test('R90 outlives a database that fails, and backs off', async () => {
    const { diary, sweeper } = world(20, (pass) =>
      pass < 3 ? Promise.reject(new Error('no database')) : Promise.resolve(idle),
    )
    const started = performance.now()
    await until(() => diary.includes('ok'))
    const tookMs = performance.now() - started
    await sweeper.stop()
    expect(diary.slice(0, 8)).toEqual([
      'pass 1',
      'failed',
      'sweep failed {"failures":1}',
      'pass 2',
      'failed',
      'sweep failed {"failures":2}',
      'pass 3',
      'ok',
    ])
    // 40 ms after the first failure and 80 ms after the second.
    expect(tookMs).toBeGreaterThan(115)
  })

  test('knows how long ago a pass went through', async () => {
    const { diary, sweeper } = world(AN_HOUR, () => Promise.reject(new Error('no database')))
    await until(() => diary.length > 0)
    await until(() => sweeper.secondsSincePass() > 0.05)
    await sweeper.stop()
    expect(diary).not.toContain('ok')
  })

  test('stops after the leases in hand, without waiting for the interval', async () => {
    let finish: (result: SweepResult) => void = () => undefined
    const { diary, sweeper } = world(
      AN_HOUR,
      () =>
        new Promise((resolve) => {
          finish = resolve
        }),
    )
    const stopped = sweeper.stop().then(() => diary.push('stopped'))
    finish(idle)
    await stopped
    expect(diary).toEqual(['pass 1', 'ok', 'stopped'])
  })

  test('tells a running pass that it is to stop', async () => {
    const signals: AbortSignal[] = []
    const sweeper = startSweeper({
      sweep: (signal) => {
        signals.push(signal)
        return Promise.resolve(idle)
      },
      intervalMs: AN_HOUR,
      random: () => 0,
      onPass: () => undefined,
      report: () => undefined,
    })
    await sweeper.stop()
    expect(signals.map(({ aborted }) => aborted)).toEqual([true])
  })
})
