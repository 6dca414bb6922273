import { makeSweep, type ClaimedLease, type Lease, type Settlement } from '@mayfly/core'
import { makeMeteredClaims, makeMetrics } from '@mayfly/runtime'
import { makeWorkerMetrics } from '@mayfly/worker'
import { describe, expect, test } from '@jest/globals'

const ended = new Date('2026-11-23T12:00:00Z')
// Only what is measured: the rest of a lease does not matter here.
const lease = {
  id: 'lea_1',
  connection: 'github-acme',
  provider: 'github',
  endedAt: ended,
  endReason: 'task_closed',
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
  const metrics = makeMetrics()
  const leases = makeMeteredClaims(metrics)({
    claim: (_leaseId: string, _seconds: number) =>
      Promise.resolve({ outcome: 'claimed' as const, claimed }),
    claimMany: () => Promise.resolve({ claimed: [], expired: 0 }),
    settle: (_claimed: ClaimedLease, _settlement: Settlement) => Promise.resolve(kept),
  })
  await leases.claim('lea_1', 60)
  expect(await leases.settle(claimed, settlement)).toBe(kept)
  const { text } = await metrics.render()
  return text.split('\n').filter((line) => line.startsWith('mayfly_'))
}

describe('what becomes of a revocation is measured', () => {
  test('R96 with its lag, by the clock of the database and by why the lease ended', async () => {
    const lines = await settle({ to: 'revoked', proof: '401' }, true)
    const bucket = (le: string): string =>
      `mayfly_revocation_lag_seconds_bucket{le="${le}",provider="github",reason="task_closed"}`
    expect(lines).toContain('mayfly_revocations_total{provider="github",outcome="revoked"} 1')
    expect(lines).toContain(`${bucket('0.25')} 0`)
    expect(lines).toContain(`${bucket('2.5')} 1`)
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
})

const levels = {
  openTasks: 2,
  freezes: 1,
  policySetVersion: 7,
  leases: [
    {
      provider: 'github',
      state: 'revocation_failed',
      ...{ leases: 4, overdue: 3, overdueSeconds: 1.5, unrevoked: 2, unrevokedSeconds: 90 },
      ...{ orphaned: 1, irrevocable: 1, irrevocableUntil: 1_900_000_000 },
    },
    {
      provider: 'aws',
      state: 'active',
      ...{ leases: 5, overdue: 0, overdueSeconds: null, unrevoked: 0, unrevokedSeconds: null },
      ...{ orphaned: 0, irrevocable: 0, irrevocableUntil: null },
    },
  ],
} as const

/** The lines of the worker's own levels. */
async function told(read: () => Promise<typeof levels>): Promise<string[]> {
  const metrics = makeWorkerMetrics({
    levels: read,
    alarms: () => Promise.resolve({ delayed: 5, waiting: 2, active: 1 }),
    secondsSincePass: () => 4,
    failingWebhooks: () => Promise.resolve(0),
  })
  const { text } = await metrics.render()
  return text.split('\n').filter((line) => line.startsWith('mayfly_'))
}

describe('R96 levels are asked for when they are read', () => {
  test('and are told by provider, with zero for those that have nothing to tell', async () => {
    expect(await told(() => Promise.resolve(levels))).toEqual([
      'mayfly_overdue_leases 3',
      'mayfly_overdue_seconds 1.5',
      'mayfly_open_tasks 2',
      'mayfly_freezes 1',
      'mayfly_database_policy_set_version 7',
      'mayfly_unrevoked_leases{provider="github"} 2',
      'mayfly_unrevoked_leases{provider="aws"} 0',
      'mayfly_unrevoked_leases{provider="vault"} 0',
      'mayfly_unrevoked_seconds{provider="github"} 90',
      'mayfly_unrevoked_seconds{provider="aws"} 0',
      'mayfly_unrevoked_seconds{provider="vault"} 0',
      'mayfly_orphaned_leases{provider="github"} 1',
      'mayfly_orphaned_leases{provider="aws"} 0',
      'mayfly_orphaned_leases{provider="vault"} 0',
      'mayfly_irrevocable_leases{provider="github"} 1',
      'mayfly_irrevocable_leases{provider="aws"} 0',
      'mayfly_irrevocable_leases{provider="vault"} 0',
      'mayfly_irrevocable_until_timestamp_seconds{provider="github"} 1900000000',
      'mayfly_irrevocable_until_timestamp_seconds{provider="aws"} 0',
      'mayfly_irrevocable_until_timestamp_seconds{provider="vault"} 0',
      'mayfly_leases{provider="github",state="revocation_failed"} 4',
      'mayfly_leases{provider="aws",state="active"} 5',
      'mayfly_alarms{state="delayed"} 5',
      'mayfly_alarms{state="waiting"} 2',
      'mayfly_alarms{state="active"} 1',
      'mayfly_sweep_age_seconds 4',
      'mayfly_failing_webhooks 0',
    ])
  })

  test('and one reading asks the database once', async () => {
    let asked = 0
    await told(() => {
      asked += 1
      return Promise.resolve(levels)
    })
    expect(asked).toBe(1)
  })

  test('and a database that does not answer breaks nothing, and is told as not a number', async () => {
    const lines = await told(() => Promise.reject(new Error('no database')))
    expect(lines).toEqual([
      'mayfly_overdue_leases Nan',
      'mayfly_overdue_seconds Nan',
      'mayfly_open_tasks Nan',
      'mayfly_freezes Nan',
      'mayfly_database_policy_set_version Nan',
      'mayfly_alarms{state="delayed"} 5',
      'mayfly_alarms{state="waiting"} 2',
      'mayfly_alarms{state="active"} 1',
      'mayfly_sweep_age_seconds 4',
      'mayfly_failing_webhooks 0',
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
