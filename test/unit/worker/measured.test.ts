import { makeSweep, type ClaimedLease, type Lease, type Settlement } from '@mayfly/core'
import { makeWorkerMetrics, measured } from '@mayfly/worker'
import { describe, expect, test } from '@jest/globals'

const gauges = {
  overdueLeases: () => Promise.resolve(3),
  lagSeconds: () => Promise.resolve(1.5),
  waitingAlarms: () => Promise.reject(new Error('no queue')),
}

const ended = new Date('2026-11-23T12:00:00Z')
// Only what is measured: the rest of a lease does not matter here.
const lease = {
  id: 'lea_1',
  connection: 'github-acme',
  provider: 'github',
  endedAt: ended,
  expiresAt: ended,
} as Lease
const claimed: ClaimedLease = {
  lease,
  handle: null,
  attempt: 1,
  from: 'active',
  sentAt: null,
  now: new Date(ended.getTime() + 400),
}

/** The lines of the exposition for one claim that was settled so. */
async function settle(settlement: Settlement, kept: boolean): Promise<string[]> {
  const metrics = makeWorkerMetrics(gauges)
  const leases = measured(
    {
      claim: () => Promise.resolve({ outcome: 'claimed', claimed }),
      claimMany: () => Promise.resolve({ claimed: [], expired: 0 }),
      settle: () => Promise.resolve(kept),
    },
    metrics,
  )
  await leases.claim('lea_1', 60)
  expect(await leases.settle(claimed, settlement)).toBe(kept)
  const { text } = await metrics.render()
  return text.split('\n').filter((line) => /^mayfly_(revocations|revocation_lag)/.test(line))
}

describe('what the worker measures', () => {
  test('R96 a revocation counts with its lag, by the clock of the database', async () => {
    const lines = await settle({ to: 'revoked', proof: '401' }, true)
    expect(lines).toContain('mayfly_revocations_total{provider="github",outcome="revoked"} 1')
    expect(lines).toContain('mayfly_revocation_lag_seconds_bucket{le="0.25",provider="github"} 0')
    expect(lines).toContain('mayfly_revocation_lag_seconds_bucket{le="2.5",provider="github"} 1')
  })

  test('R96 a failed attempt counts, and has no lag yet', async () => {
    const settlement = { to: 'revocation_failed', note: 'throttled', retryAt: ended } as const
    expect(await settle(settlement, true)).toEqual([
      'mayfly_revocations_total{provider="github",outcome="revocation_failed"} 1',
    ])
  })

  test('a claim that was lost to another worker is that worker’s to count', async () => {
    expect(await settle({ to: 'revoked', proof: '401' }, false)).toEqual([])
  })

  test('levels are asked for when they are read, and one that cannot be told breaks nothing', async () => {
    const { text } = await makeWorkerMetrics(gauges).render()
    expect(text.split('\n').filter((line) => /^mayfly_(overdue|waiting)/.test(line))).toEqual([
      'mayfly_overdue_leases 3',
      'mayfly_overdue_seconds 1.5',
      'mayfly_waiting_alarms Nan',
    ])
  })
})

describe('one pass of the sweep', () => {
  test('R90 goes on to the leases when a task cannot be closed', async () => {
    const diary: string[] = []
    const sweep = makeSweep({
      tasks: { overdue: () => Promise.resolve(['tsk_1', 'tsk_2']) },
      leases: { claimMany: () => Promise.resolve({ claimed: [claimed], expired: 0 }) },
      resumeContainments: () => Promise.resolve(0),
      visibilitySeconds: 30,
      patience: () => new Promise(() => undefined),
      closeTask: (taskId) => {
        diary.push(`close ${taskId}`)
        return Promise.reject(new Error('poison'))
      },
      revoke: ({ lease: { id } }) => {
        diary.push(`revoke ${id}`)
        return Promise.resolve({ outcome: 'revoked' })
      },
      batchSize: 10,
      concurrency: 2,
      report: (message, _error, context) => diary.push(`${message} ${JSON.stringify(context)}`),
    })
    expect(await sweep(AbortSignal.timeout(1_000))).toEqual({
      tasksClosed: 0,
      revoked: 1,
      retried: 0,
      more: false,
    })
    expect(diary).toEqual([
      'close tsk_1',
      'sweep could not close a task {"taskId":"tsk_1"}',
      'close tsk_2',
      'sweep could not close a task {"taskId":"tsk_2"}',
      'revoke lea_1',
    ])
  })
})
