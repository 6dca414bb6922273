import { randomBytes } from 'node:crypto'

import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'

import { ERRANDS } from '../support/errands.ts'
import { until } from '../support/until.ts'
import { applyMore, type Document } from './apply-more.ts'
import { startReceiver, type Receiver } from '../support/receiver.ts'
import { openWorld, type World } from './world.ts'

const secret = `whsec_${randomBytes(32).toString('base64')}`

let world: World
const receivers: Receiver[] = []
beforeAll(async () => {
  world = await openWorld({
    environment: {
      HOOK_SECRET: secret,
      WEBHOOK_ALLOWED_NETWORKS: '127.0.0.1/32',
      WEBHOOK_INTERVAL_MS: '50',
      WEBHOOK_RETRY_BASE_SECONDS: '0.1',
      WEBHOOK_TIMEOUT_MS: '3000',
    },
  })
}, 120_000)
afterAll(() => world.stop(), 60_000)
afterEach(async () => {
  await Promise.all(receivers.splice(0).map((receiver) => receiver.stop()))
})

const webhook = (name: string, spec: object): Document => ({
  apiVersion: 'mayfly.dev/v1',
  kind: 'Webhook',
  metadata: { name },
  spec: { url: 'https://hooks.example/', events: ['lease.*'], secret: 'env:HOOK_SECRET', ...spec },
})

async function listen(name: string, events: readonly string[] = ['lease.*']): Promise<Receiver> {
  const receiver = await startReceiver(secret)
  receivers.push(receiver)
  const applied = await applyMore(world, [webhook(name, { url: receiver.url, events })])
  expect(applied.status).toBe(200)
  return receiver
}

async function usedLease(): Promise<{ readonly id: string; readonly secretText: string }> {
  const task = await world.openTask()
  const { lease, credential } = await world.issue(task, ERRANDS.github)
  await world.call('DELETE', `/v1/leases/${lease.id}`, { token: task.token })
  await world.settled(lease.id)
  return { id: lease.id, secretText: credential['token'] ?? '' }
}

const typesOf = (receiver: Receiver, leaseId: string): readonly string[] =>
  receiver.received.filter(({ data }) => data['leaseId'] === leaseId).map(({ type }) => type)

async function untilRevoked(receiver: Receiver, leaseId: string): Promise<void> {
  await until(() => typesOf(receiver, leaseId).includes('lease.revoked'))
}

async function shown(name: string): Promise<unknown> {
  const token = await world.stack.tokens.person('responder')
  const { status, json } = await world.call('GET', '/v1/webhooks', { token })
  expect(status).toBe(200)
  const { webhooks } = json as { webhooks: readonly { readonly name: string }[] }
  return webhooks.find((webhook) => webhook.name === name)
}

describe('a webhook', () => {
  test('is told what happened to a lease, in order, signed, and without any secret', async () => {
    const receiver = await listen('story')
    const { id, secretText } = await usedLease()
    await untilRevoked(receiver, id)
    const types = typesOf(receiver, id)
    expect(types.filter((type) => type !== 'lease.delivered')).toEqual([
      'lease.pending',
      'lease.active',
      'lease.ended',
      'lease.revoking',
      'lease.revoked',
    ])
    const events = await world.sql(
      `SELECT 'evt_' || seq AS id, type FROM audit_events WHERE lease_id = $1 ORDER BY txid, seq`,
      [id],
    )
    const told = receiver.received.filter(({ data }) => data['leaseId'] === id)
    expect(told.map((one) => ({ id: one.id, type: one.type }))).toEqual(events)
    const text = receiver.requests.join('\n')
    expect(text).not.toContain(secretText)
    expect(text).not.toContain('an end-to-end test')
    expect(text).not.toContain(secret)
  })

  test('is told again what it did not take, with the same id, and nothing behind it before', async () => {
    const receiver = await listen('stubborn', ['lease.pending', 'lease.revoked'])
    receiver.answer(500)
    const { id } = await usedLease()
    await until(() => receiver.requests.length >= 3)
    const ids = new Set(receiver.requests.map((body) => (JSON.parse(body) as { id: string }).id))
    expect(ids.size).toBe(1)
    expect(receiver.received).toEqual([])
    receiver.answer(204)
    await untilRevoked(receiver, id)
    expect(typesOf(receiver, id)).toEqual(['lease.pending', 'lease.revoked'])
  })

  test('that never answers holds up neither another one nor a revocation', async () => {
    const [silent, prompt] = [await listen('silent'), await listen('prompt')]
    silent.answer(null)
    const { id } = await usedLease()
    await untilRevoked(prompt, id)
    expect(silent.received).toEqual([])
  })

  test('that fails for long is called failing, until it is well again', async () => {
    const receiver = await listen('ill', ['lease.pending'])
    receiver.answer(503)
    await usedLease()
    const failing = async (): Promise<boolean> => {
      const rows = await world.sql(
        `SELECT 1 FROM webhook_cursors WHERE name = 'ill' AND failing_since IS NOT NULL`,
      )
      return rows.length > 0
    }
    await world.sql(`UPDATE webhook_cursors SET failures = 7 WHERE name = 'ill'`)
    await until(failing)
    expect(await shown('ill')).toMatchObject({
      state: 'failing',
      lastFailure: 'receiver_failed',
      pending: 1,
      origin: new URL(receiver.url).origin,
    })
    receiver.answer(204)
    await world.sql(`UPDATE webhook_cursors SET due_at = now() WHERE name = 'ill'`)
    await until(async () => !(await failing()))
    expect(await shown('ill')).toMatchObject({ state: 'delivering', failures: 0 })
    const events = await world.sql(
      `SELECT type FROM audit_events WHERE data ->> 'webhook' = 'ill' ORDER BY seq`,
    )
    expect(events).toEqual([{ type: 'webhook.failing' }, { type: 'webhook.recovered' }])
  })

  test('hears of what happened while no worker was there', async () => {
    const receiver = await listen('patient')
    const [worker] = world.stack.workers
    worker?.kill('SIGKILL')
    await worker?.ended
    const task = await world.openTask()
    const { lease } = await world.issue(task, ERRANDS.vault)
    await world.call('POST', `/v1/tasks/${task.id}/close`, { token: task.token })
    expect(typesOf(receiver, lease.id)).toEqual([])
    await world.start('worker')
    await untilRevoked(receiver, lease.id)
    expect(typesOf(receiver, lease.id).slice(0, 2)).toEqual(['lease.pending', 'lease.active'])
  })
})

describe('R116 a webhook is refused', () => {
  test.each([
    ['a private address', { url: 'https://10.0.0.1/' }],
    ['the metadata service', { url: 'https://169.254.169.254/' }],
    ['another loopback address', { url: 'http://127.0.0.2/' }],
    ['mapped IPv4', { url: 'https://[::ffff:127.0.0.1]/' }],
    ['a unique local address', { url: 'https://[fd00::1]/' }],
    ['plain http', { url: 'http://hooks.example/' }],
    ['a name and a password', { url: 'https://user:word@hooks.example/' }],
    ['a secret as it is', { secret }],
    ['no events', { events: [] }],
    ['an event that is none', { events: ['lease'] }],
    ['an event that nobody writes', { events: ['lease.revokd'] }],
    ['a group that nobody writes', { events: ['leases.*'] }],
    ['an unknown field', { more: 1 }],
  ])('with %s, and the set stays as it was', async (_name, spec) => {
    const before = await world.sql('SELECT max(version) FROM policy_sets')
    const answer = await applyMore(world, [webhook('bad', spec)])
    expect(answer).toMatchObject({ status: 422, json: { code: 'policy_set_invalid' } })
    expect(answer.text).not.toContain(secret)
    expect(await world.sql('SELECT max(version) FROM policy_sets')).toEqual(before)
  })

  test('with the events that may have been meant', async () => {
    const events = ['lease.revokd', 'containments.*', 'kittens.born', 'freeze.*']
    const { json } = await applyMore(world, [webhook('bad', { events })])
    const { problems } = (json as { details: { problems: unknown } }).details
    expect(problems).toMatchObject([
      { path: 'spec.events.0', message: expect.stringContaining('did you mean lease.revoked') },
      { path: 'spec.events.1', message: expect.stringContaining('did you mean containment.*') },
      { path: 'spec.events.2', message: expect.stringContaining('there are authentication.*') },
    ])
  })
})
