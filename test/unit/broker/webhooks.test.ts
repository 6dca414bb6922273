import { describe, expect, test } from '@jest/globals'
import type { Webhook, WebhookState } from '@mayfly/core'
import request from 'supertest'

import { bearer, brokerWorld, noon, policySet, type BrokerWorld } from './broker-world.ts'

const webhook = (name: string): Webhook => ({
  kind: 'Webhook',
  name,
  url: `https://hooks.acme.example:8443/T1/secret-part-of-${name}?key=secret`,
  events: ['lease.*'],
  secret: 'env:SOC_SECRET',
})

const well: Omit<WebhookState, 'name'> = {
  known: true,
  failures: 0,
  failingSince: null,
  note: null,
  nextAttemptAt: null,
  pending: 0,
  pendingOrMore: false,
  oldestPendingAt: null,
}

const states: Readonly<Record<string, Partial<WebhookState>>> = {
  fresh: { known: false },
  well: {},
  stumbling: {
    failures: 1,
    note: 'timed_out',
    nextAttemptAt: noon,
    pending: 1,
    oldestPendingAt: noon,
  },
  ill: { failures: 9, failingSince: noon, note: 'refused', pending: 7, pendingOrMore: true },
}

const world = (): Promise<BrokerWorld> =>
  brokerWorld({
    policies: {
      current: () => ({ ...policySet, resources: Object.keys(states).map(webhook) }),
    },
    webhookStates: {
      of: (asked) => Promise.resolve(asked.map(({ name }) => ({ name, ...well, ...states[name] }))),
    },
  })

const get = async (role: string): Promise<request.Response> =>
  request((await world()).server)
    .get('/v1/webhooks')
    .set(bearer(`operator_${role}`))

describe('GET /v1/webhooks', () => {
  test('says how deliveries to each webhook go, and never the whole URL', async () => {
    const { text } = await get('responder')
    const shown = (JSON.parse(text) as { webhooks: Record<string, unknown>[] }).webhooks
    expect(shown.map(({ name, state, lastFailure }) => [name, state, lastFailure])).toEqual([
      ['fresh', 'new', null],
      ['well', 'delivering', null],
      ['stumbling', 'retrying', 'timed_out'],
      ['ill', 'failing', 'refused'],
    ])
    expect(shown[2]).toEqual({
      name: 'stumbling',
      origin: 'https://hooks.acme.example:8443',
      events: ['lease.*'],
      state: 'retrying',
      failures: 1,
      failingSince: null,
      lastFailure: 'timed_out',
      nextAttemptAt: noon.toISOString(),
      pending: 1,
      pendingOrMore: false,
      oldestPendingAt: noon.toISOString(),
    })
    expect(text).not.toMatch(/secret|SECRET/)
  })

  test.each(['responder', 'platform', 'auditor'])('is for the role %s', async (role) => {
    expect((await get(role)).status).toBe(200)
  })

  test('is not for approvers', async () => {
    expect(await get('approver')).toMatchObject({ status: 403, body: { code: 'role_required' } })
  })
})
