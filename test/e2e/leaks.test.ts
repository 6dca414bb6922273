import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { ReportLeakResponse } from '@mayfly/protocol'

import { ERRAND_NAMES, ERRANDS, type ErrandName } from '../support/errands.ts'
import { until } from '../support/until.ts'
import type { Answer } from './call.ts'
import { usesOf, type Uses } from './uses.ts'
import { openWorld, type World } from './world.ts'

let world: World
let uses: Record<ErrandName, Uses>
let responder: string
beforeAll(async () => {
  world = await openWorld()
  uses = usesOf(world.stack.standins)
  responder = await world.stack.tokens.person('responder')
}, 120_000)
afterAll(() => world.stop(), 60_000)

const report = (body: object, token = responder): Promise<Answer> =>
  world.call('POST', '/v1/leaks', { token, body })

const storyIn = ({ json }: Answer): ReportLeakResponse => json as unknown as ReportLeakResponse // the contract of 200

/** The part of each credential that somebody would find, secret or only telling. */
const PARTS: Record<ErrandName, readonly string[]> = {
  github: ['token'],
  aws: ['secretAccessKey', 'accessKeyId', 'sessionToken'],
  vault: ['token'],
  database: ['password'],
}

describe.each(ERRAND_NAMES)('a leaked %s credential', (name) => {
  test.each(PARTS[name])('is found by its %s, and dies', async (part) => {
    const task = await world.openTask()
    const { lease, credential } = await world.issue(task, ERRANDS[name])
    expect(await uses[name].allowed(credential)).toBe(true)

    const answer = await report({ credential: credential[part] })
    expect(answer.status).toBe(200)
    const { found, leases } = storyIn(answer)
    expect(found).toBe(true)
    expect(leases).toHaveLength(1)
    expect(leases[0]).toMatchObject({
      lease: { id: lease.id, agent: 'payments-ci', endReason: 'leaked' },
      task: { id: task.id, intent: { reason: 'an end-to-end test' } },
      owner: expect.any(String),
      decision: { policies: expect.any(Array) },
    })
    const types = leases[0]?.events.map(({ type }) => type)
    expect(types).toEqual(
      expect.arrayContaining(['lease.pending', 'lease.active', 'leak.reported']),
    )
    if (leases[0]?.outcome === 'dead_now') expect(await uses[name].allowed(credential)).toBe(false)

    const dead = await world.settled(lease.id)
    expect(dead).toMatchObject({ state: 'revoked', endReason: 'leaked' })
    expect(await uses[name].allowed(credential)).toBe(false)

    const again = storyIn(await report({ credential: credential[part] }))
    expect(again.leases[0]).toMatchObject({
      outcome: 'dead_before',
      lease: { endReason: 'leaked' },
    })
  })
})

describe('what is reported', () => {
  test('is in no log, no audit event, no other row, and no answer', async () => {
    const task = await world.openTask()
    const { credential } = await world.issue(task, ERRANDS.github)
    const ours = credential['token'] ?? ''
    const theirs = `ghs_${'canary'.repeat(8)}`
    const sha256 = createHash('sha256').update(theirs).digest()

    const answers = [
      await report({ credential: ours }),
      await report({ credential: theirs }),
      await report({ sha256: sha256.toString('hex') }),
      await report({ [theirs]: 1 }),
      await report({ credential: theirs, more: theirs }),
      await world.call('POST', `/v1/leaks?credential=${theirs}`, { token: responder, body: {} }),
      await world.call('POST', '/v1/leaks', { token: responder, body: `{"credential":"${theirs}` }),
    ]
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 400, 400, 400, 400])
    const unknown = answers.slice(1, 3).map(({ json }) => json)
    expect(unknown).toEqual([
      { found: false, leases: [] },
      { found: false, leases: [] },
    ])

    const logs = Object.values(world.stack.logs).map((file) => readFileSync(file, 'utf8'))
    const tables = await world.sql(
      `SELECT quote_ident(relname) AS name FROM pg_class
         WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`,
    )
    const rows: string[] = []
    for (const { name } of tables) {
      rows.push(JSON.stringify(await world.sql(`SELECT t::text FROM ${String(name)} AS t`)))
    }
    const text = [...logs, ...rows, ...answers.map((answer) => answer.text)].join('\n')
    expect(text).toContain('leak.reported')
    for (const secret of [ours, theirs]) expect(text).not.toContain(secret)
    // What nobody knows leaves not even its hash behind.
    for (const encoding of ['hex', 'base64', 'base64url'] as const) {
      expect(text).not.toContain(sha256.toString(encoding))
    }
  })

  test('is recorded with who reported it', async () => {
    const task = await world.openTask()
    const { lease, credential } = await world.issue(task, ERRANDS.vault)
    await report({ credential: credential['token'] })
    const events = await world.sql(
      `SELECT subject, data FROM audit_events WHERE type = 'leak.reported' AND lease_id = $1`,
      [lease.id],
    )
    expect(events).toEqual([
      { subject: 'people#responder@acme.example', data: { outcome: 'found', from: 'active' } },
    ])
  })

  test('is refused from an agent and from the wrong role, and nothing ends', async () => {
    const task = await world.openTask()
    const { lease, credential } = await world.issue(task, ERRANDS.github)
    const body = { credential: credential['token'] }
    const { tokens } = world.stack
    const refusals = [
      await report(body, task.token),
      await report(body, await tokens.githubActions('payments')),
      await report(body, await tokens.person('auditor')),
      await report(body, await tokens.person('platform')),
      await world.call('POST', '/v1/leaks', { body }),
      await report({ credential: '' }),
      await report({ credential: 'x'.repeat(8193) }),
    ]
    expect(refusals.map(({ status, json }) => [status, json['code']])).toEqual([
      [401, 'unauthenticated'],
      [401, 'unauthenticated'],
      [403, 'role_required'],
      [403, 'role_required'],
      [401, 'unauthenticated'],
      [400, 'invalid_request'],
      [413, 'payload_too_large'],
    ])
    expect(await world.lease(lease.id)).toMatchObject({ state: 'active', endedAt: null })
    expect(await uses.github.allowed(credential)).toBe(true)
    await world.call('POST', `/v1/tasks/${task.id}/close`, { token: task.token })
    await until(() => world.live() === 0)
  })
})
