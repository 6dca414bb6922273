import { describe, expect, test } from '@jest/globals'
import {
  eventFacts,
  makeReportLeak,
  MayflyError,
  type AuditEvent,
  type Lease,
  type LeaseState,
  type LeaseStory,
} from '@mayfly/core'

import { lease, noon, task } from '../broker/broker-world.ts'

const story: LeaseStory = {
  decision: {
    id: 'dec_1',
    decidedAt: noon,
    policies: ['own-repo'],
    policyDigest: 'd',
    policySetVersion: 3,
  },
  events: [{ at: noon, type: 'lease.active', subject: null, facts: {} }],
}

function world(leases: readonly Lease[], after: LeaseState = 'revoked', auditFails = false) {
  const diary: string[] = []
  const recorded: AuditEvent[] = []
  const reportLeak = makeReportLeak({
    history: {
      withFingerprint: (fingerprint) => {
        diary.push(`look for ${fingerprint}`)
        return Promise.resolve(leases)
      },
      of: () => Promise.resolve(story),
    },
    tasks: { find: () => Promise.resolve(task) },
    endLease: (id, endReason) => {
      diary.push(`end ${id}: ${endReason}`)
      return Promise.resolve({ ...lease, id, endReason, state: after })
    },
    audit: {
      record: (event) => {
        diary.push(`record ${event.type}`)
        recorded.push(event)
        return auditFails ? Promise.reject(new Error('no disk')) : Promise.resolve()
      },
    },
    report: (message) => void diary.push(message),
  })
  const run = () =>
    reportLeak({ fingerprint: 'sha', reporter: 'people#dana' }, AbortSignal.timeout(1000))
  return { diary, recorded, run }
}

describe('a leaked credential', () => {
  test('is written down, then ended, and told with its story', async () => {
    const { diary, recorded, run } = world([lease])
    expect(await run()).toEqual([
      {
        outcome: 'dead_now',
        lease: { ...lease, endReason: 'leaked', state: 'revoked' },
        task,
        ...story,
      },
    ])
    expect(diary).toEqual(['look for sha', 'record leak.reported', 'end lea_1: leaked'])
    expect(recorded).toEqual([
      {
        type: 'leak.reported',
        subject: 'people#dana',
        agent: 'codex',
        taskId: 'tsk_1',
        leaseId: 'lea_1',
        decisionId: 'dec_1',
        data: { outcome: 'found', from: 'active' },
      },
    ])
  })

  test('G2 is never called dead before it is', async () => {
    for (const state of ['revoking', 'revocation_failed', 'active'] as const) {
      const [found] = await world([lease], state).run()
      expect(found?.outcome).toBe('may_be_live')
    }
  })

  test('that was dead already is left as it was', async () => {
    for (const state of ['revoked', 'expired', 'failed'] as const) {
      const { diary, run } = world([{ ...lease, state, endReason: 'holder' }])
      const [found] = await run()
      expect(found).toMatchObject({ outcome: 'dead_before', lease: { state, endReason: 'holder' } })
      expect(diary).toEqual(['look for sha', 'record leak.reported'])
    }
  })

  test('that nobody knows has no story, and the attempt is recorded without it', async () => {
    const { recorded, run } = world([])
    expect(await run()).toEqual([])
    expect(recorded).toEqual([
      { type: 'leak.reported', subject: 'people#dana', data: { outcome: 'unknown' } },
    ])
  })

  test('is revoked even while the audit log fails', async () => {
    const { diary, run } = world([lease], 'revoked', true)
    expect((await run())[0]?.outcome).toBe('dead_now')
    expect(diary).toContain('a leak report could not be recorded')
    expect(diary).toContain('end lea_1: leaked')
  })

  test('G13 is not answered for when the lookup fails', async () => {
    const reportLeak = makeReportLeak({
      history: {
        withFingerprint: () => Promise.reject(new MayflyError('database_unavailable', 'down')),
        of: () => Promise.resolve(story),
      },
      tasks: { find: () => Promise.resolve(null) },
      endLease: () => Promise.reject(new Error('not asked')),
      audit: { record: () => Promise.resolve() },
      report: () => undefined,
    })
    const run = reportLeak({ fingerprint: 'x', reporter: 'y' }, AbortSignal.timeout(1000))
    await expect(run).rejects.toMatchObject({ code: 'database_unavailable' })
  })
})

test('the facts of an event are a list of names, one level deep', () => {
  const facts = eventFacts({
    reason: 'holder',
    targets: ['github:repo:acme/web'],
    selector: { agent: 'web-ci' },
    scope: { deeper: { and: 'deeper' } },
    intent: { reason: 'free text' },
    fingerprints: ['sha'],
    tokenId: 'jti',
    parameters: { password: 'x' },
  })
  expect(facts).toEqual({
    reason: 'holder',
    targets: ['github:repo:acme/web'],
    selector: { agent: 'web-ci' },
  })
})
