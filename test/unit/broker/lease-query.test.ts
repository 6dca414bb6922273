import { describe, expect, test } from '@jest/globals'
import request from 'supertest'

import { bearer, brokerWorld, lease } from './broker-world.ts'

const get = async (query: string, token = 'operator_responder') => {
  const world = await brokerWorld()
  const response = await request(world.server).get(`/v1/leases?${query}`).set(bearer(token))
  return { status: response.status, text: response.text, filters: world.filters }
}

describe('GET /v1/leases', () => {
  test.each([
    ['repository=Acme/Web', { repository: 'acme/web' }],
    ['vaultPath=kv/data/app/', { vaultPath: 'kv/data/app' }],
    ['permission=s3:PutObject', { permission: 's3:putobject' }],
    ['permission=vault:update', { permission: 'vault:update' }],
    ['permission=workflows:read', { permission: 'workflows:read' }],
    ['template=t&templateVersion=3', { template: 't', templateVersion: 3 }],
    ['agent=a&awsAccount=123456789012', { agent: 'a', awsAccount: '123456789012' }],
    ['createdAfter=2026-11-23T12:00:00Z', { createdAfter: '2026-11-23T12:00:00.000Z' }],
    ['everything=true', { everything: true }],
  ])('takes the selector %s', async (query, selector) => {
    expect((await get(query)).filters).toEqual([{ limit: 101, selector }])
  })

  test('takes it beside the filters that it had', async () => {
    const { filters } = await get(
      'live=true&target=x&taskId=tsk_2&task=tsk_1&limit=7',
      'task_tsk_1',
    )
    expect(filters).toEqual([
      { live: true, target: 'x', taskId: 'tsk_1', limit: 8, selector: { task: 'tsk_1' } },
    ])
  })

  test.each([
    ['repository=web', 'selector_invalid'],
    ['repository=acme/*', 'selector_invalid'],
    ['agent=a&agent=b', 'selector_invalid'],
    ['permission=content:write', 'selector_invalid'],
    ['permission=contents:admin', 'selector_invalid'],
    ['permission=vault:write', 'selector_invalid'],
    ['permission=*:*', 'selector_invalid'],
    ['templateVersion=2', 'selector_invalid'],
    ['template=t&templateVersion=many', 'selector_invalid'],
    ['everything=false', 'selector_invalid'],
    ['everything=true&agent=a', 'selector_everything_not_alone'],
    [
      'createdAfter=2026-11-23T12:00:00Z&createdBefore=2026-11-23T11:00:00Z',
      'selector_window_invalid',
    ],
    ['repositry=acme/web', 'invalid_request'],
  ])('refuses %s as a containment does: %s', async (query, code) => {
    const { status, text, filters } = await get(query)
    expect([status, (JSON.parse(text) as { code: string }).code]).toEqual([400, code])
    expect(filters).toEqual([])
  })

  test('says when there are more than it lists', async () => {
    const asked: number[] = []
    const world = await brokerWorld({
      leases: {
        find: () => Promise.resolve(null),
        delivered: () => undefined,
        list: ({ limit }) => {
          asked.push(limit)
          return Promise.resolve(Array.from({ length: Math.min(limit, 4) }, () => lease))
        },
      },
    })
    const shown = async (limit: number): Promise<readonly unknown[]> => {
      const { text } = await request(world.server)
        .get(`/v1/leases?limit=${String(limit)}`)
        .set(bearer('operator_auditor'))
      const { leases, truncated } = JSON.parse(text) as { leases: []; truncated: boolean }
      return [leases.length, truncated]
    }
    expect([await shown(3), await shown(4)]).toEqual([
      [3, true],
      [4, false],
    ])
  })
})
