import { withDeadline } from '@mayfly/worker'
import { describe, expect, test } from '@jest/globals'

const untilAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    const fail = (): void => {
      reject(signal.reason as Error)
    }
    if (signal.aborted) fail()
    signal.addEventListener('abort', fail)
  })

describe('work with a deadline', () => {
  test('that is done in time gives its result', async () => {
    const result = await withDeadline(5_000, new AbortController().signal, () => Promise.resolve(7))
    expect(result).toBe(7)
  })

  test('that takes longer is aborted with a timeout', async () => {
    await expect(
      withDeadline(10, new AbortController().signal, untilAborted),
    ).rejects.toMatchObject({ name: 'TimeoutError' })
  })

  test('is aborted with the signal around it, before or during the work', async () => {
    const outer = new AbortController()
    const during = withDeadline(5_000, outer.signal, untilAborted)
    outer.abort(new Error('stopping'))
    await expect(during).rejects.toThrow('stopping')
    await expect(withDeadline(5_000, outer.signal, untilAborted)).rejects.toThrow('stopping')
  })
})
