import type { RevocationOutcome } from '@mayfly/core'
import { makeAnswerAlarm } from '@mayfly/worker'
import { describe, expect, test } from '@jest/globals'

const noon = new Date('2026-11-23T12:00:00Z')
const later = new Date('2026-11-23T12:00:30Z')

/** Answers one alarm and tells the story. */
async function answer(outcome: RevocationOutcome, schedule?: Promise<void>): Promise<string[]> {
  const diary: string[] = []
  const answerAlarm = makeAnswerAlarm({
    revoke: (leaseId) => {
      diary.push(`revoke ${leaseId}`)
      return Promise.resolve(outcome)
    },
    queue: {
      schedule: (leaseId, at) => {
        diary.push(`schedule ${leaseId} at ${at.toISOString()}`)
        return schedule ?? Promise.resolve()
      },
    },
    clock: { now: () => noon },
    report: (message) => diary.push(message),
  })
  await answerAlarm('lea_1', AbortSignal.timeout(1_000))
  return diary
}

describe('an alarm', () => {
  test('for a lease that is dead now, or was already, sets no other', async () => {
    expect(await answer({ outcome: 'revoked' })).toEqual(['revoke lea_1'])
    expect(await answer({ outcome: 'nothing_to_do' })).toEqual(['revoke lea_1'])
  })

  test('R91 for a lease that is not dead yet sets the next one at its next attempt', async () => {
    expect(await answer({ outcome: 'retry', at: later, note: 'throttled' })).toEqual([
      'revoke lea_1',
      'schedule lea_1 at 2026-11-23T12:00:30.000Z',
    ])
  })

  test('that rang too early is set again', async () => {
    expect(await answer({ outcome: 'not_due', at: later })).toEqual([
      'revoke lea_1',
      'schedule lea_1 at 2026-11-23T12:00:30.000Z',
    ])
  })

  test('never rings in a circle when the clock here is ahead of the clock of the database', async () => {
    expect(await answer({ outcome: 'not_due', at: new Date(noon.getTime() - 5_000) })).toEqual([
      'revoke lea_1',
      'schedule lea_1 at 2026-11-23T12:00:00.250Z',
    ])
  })

  test('R90 that cannot be set again is left to the sweeper', async () => {
    const outcome: RevocationOutcome = { outcome: 'retry', at: later, note: 'throttled' }
    expect(await answer(outcome, Promise.reject(new Error('no queue')))).toEqual([
      'revoke lea_1',
      'schedule lea_1 at 2026-11-23T12:00:30.000Z',
      'revocation not scheduled; the sweeper will find it',
    ])
  })
})
