import { describe, expect, test } from '@jest/globals'
import {
  applyPolicySetRequest,
  leaseListQuery,
  openLeaseRequest,
  openTaskRequest,
} from '@mayfly/protocol'

const lease = {
  template: 'github-feature-branch',
  actions: ['repo.write'],
  parameters: { repository: 'acme/payments' },
}
const task = { intent: { reason: 'fix a test' }, declarations: [lease] }

const places = (result: { error?: { issues: { path: PropertyKey[] }[] } }): string[] =>
  (result.error?.issues ?? []).map(({ path }) => path.join('.'))

describe('requests', () => {
  test('what the documentation shows parses, unchanged', () => {
    expect(openLeaseRequest.parse({ ...lease, ttlSeconds: 600, reason: 'push' })).toEqual({
      ...lease,
      ttlSeconds: 600,
      reason: 'push',
    })
    expect(openTaskRequest.parse(task)).toEqual(task)
  })

  test('R114 an unknown field is refused at every level', () => {
    expect(openLeaseRequest.safeParse({ ...lease, scope: 'all' }).success).toBe(false)
    expect(openTaskRequest.safeParse({ ...task, agent: 'me' }).success).toBe(false)
    const widened = { ...task, declarations: [{ ...lease, ttl: 1 }] }
    expect(places(openTaskRequest.safeParse(widened))).toEqual(['declarations.0'])
    const approved = { ...task, intent: { reason: 'x', approved: true } }
    expect(places(openTaskRequest.safeParse(approved))).toEqual(['intent'])
    expect(applyPolicySetRequest.safeParse({ resources: [{}], force: true }).success).toBe(false)
  })

  test('R18 an empty or absent list is an error, never everything', () => {
    expect(places(openLeaseRequest.safeParse({ ...lease, actions: [] }))).toEqual(['actions'])
    expect(places(openLeaseRequest.safeParse({ template: 'x', parameters: {} }))).toEqual([
      'actions',
    ])
    expect(places(openTaskRequest.safeParse({ ...task, declarations: [] }))).toEqual([
      'declarations',
    ])
  })

  test('parameters are plain values, so nothing nested reaches a template', () => {
    for (const value of [['a'], { a: 1 }, null]) {
      const request = { ...lease, parameters: { repository: value } }
      expect(places(openLeaseRequest.safeParse(request))).toEqual(['parameters.repository'])
    }
  })

  test('a TTL of zero or below passes here, because it has its own error code', () => {
    expect(openLeaseRequest.safeParse({ ...lease, ttlSeconds: 0 }).success).toBe(true)
    expect(openLeaseRequest.safeParse({ ...lease, ttlSeconds: -1 }).success).toBe(true)
    expect(openLeaseRequest.safeParse({ ...lease, ttlSeconds: 1.5 }).success).toBe(false)
    expect(openLeaseRequest.safeParse({ ...lease, ttlSeconds: '600' }).success).toBe(false)
    expect(openLeaseRequest.safeParse({ ...lease, ttlSeconds: 1e300 }).success).toBe(false)
  })

  test('the lease filter reads query text, and refuses what it does not know', () => {
    expect(leaseListQuery.parse({ live: 'true', limit: '5' })).toEqual({ live: true, limit: 5 })
    expect(leaseListQuery.parse({})).toEqual({ limit: 100 })
    expect(leaseListQuery.parse({ owner: 'x' })).toEqual({ owner: 'x', limit: 100 })
    for (const query of [{ live: 'yes' }, { limit: '0' }, { limit: '1001' }, { tenant: 'x' }]) {
      expect(leaseListQuery.safeParse(query).success).toBe(false)
    }
    expect(leaseListQuery.safeParse({ target: ['a', 'b'] }).success).toBe(false)
  })
})
