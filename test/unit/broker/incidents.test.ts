import { describe, expect, test } from '@jest/globals'
import request from 'supertest'

import { bearer, brokerWorld } from './broker-world.ts'

const responder = bearer('operator_responder')
const good = { selector: { agent: 'codex' }, reason: 'leak', incident: 'INC-1' }

async function post(path: string, body: object, headers: Record<string, string> = responder) {
  const world = await brokerWorld()
  const response = await request(world.server).post(path).set(headers).send(body)
  const { code } = response.body as { code?: string }
  return { status: response.status, code, diary: world.diary, body: response.body as unknown }
}

describe('what is refused, with a code of its own and no effect', () => {
  test.each([
    ['an empty selector', { ...good, selector: {} }, 400, 'selector_empty'],
    ['no selector', { reason: 'r', incident: 'i' }, 400, 'selector_invalid'],
    ['an unknown field', { ...good, selector: { repo: 'a/b' } }, 400, 'selector_field_unknown'],
    [
      'a field of the wrong form',
      { ...good, selector: { repository: 'a' } },
      400,
      'selector_invalid',
    ],
    [
      'a version of nothing',
      { ...good, selector: { templateVersion: 2 } },
      400,
      'selector_invalid',
    ],
    [
      'a window that ends before it begins',
      {
        ...good,
        selector: { createdAfter: '2026-11-23T12:00:00Z', createdBefore: '2026-11-23T11:00:00Z' },
      },
      400,
      'selector_window_invalid',
    ],
    [
      'everything and something',
      { ...good, selector: { everything: true, agent: 'a' } },
      400,
      'selector_everything_not_alone',
    ],
    ['everything: false', { ...good, selector: { everything: false } }, 400, 'selector_invalid'],
    ['no reason', { ...good, reason: undefined }, 400, 'reason_required'],
    ['a blank reason', { ...good, reason: '  ' }, 400, 'reason_required'],
    ['no incident', { ...good, incident: undefined }, 400, 'incident_required'],
    ['a field that nobody knows', { ...good, force: true }, 400, 'invalid_request'],
  ])('R92 %s', async (_what, body, status, code) => {
    const refused = await post('/v1/containments', body)
    expect([refused.status, refused.code]).toEqual([status, code])
    expect(refused.diary.filter((line) => !line.startsWith('audit'))).toEqual([])
  })

  test.each([
    ['/v1/freezes', { ...good, incident: undefined }],
    ['/v1/freezes/frz_1/lift', { reason: 'r' }],
    ['/v1/containments', good],
    ['/v1/containments/cnt_2/cancel', { reason: 'r' }],
  ])('a task and an operator of another role on %s', async (path, body) => {
    for (const [token, status, code] of [
      ['operator_platform', 403, 'role_required'],
      ['operator_auditor', 403, 'role_required'],
      ['task_tsk_1', 401, 'unauthenticated'],
      ['workload', 401, 'unauthenticated'],
    ] as const) {
      const refused = await post(path, body, bearer(token))
      expect([refused.status, refused.code]).toEqual([status, code])
      expect(refused.diary).toEqual([`audit refusal ${code}`])
    }
  })

  test('cancelling what is finished, or what never was', async () => {
    const reason = { reason: 'false alarm' }
    expect(await post('/v1/containments/cnt_1/cancel', reason)).toMatchObject({
      status: 409,
      code: 'containment_finished',
    })
    expect(await post('/v1/containments/cnt_9/cancel', reason)).toMatchObject({
      status: 404,
      code: 'containment_unknown',
    })
    expect(await post('/v1/containments/cnt_2/cancel', { reason: '' })).toMatchObject({
      status: 400,
      code: 'reason_required',
    })
  })
})

describe('what is done', () => {
  test('R92 a containment says who began it and for which incident', async () => {
    const selector = { repository: 'Acme/Payments' }
    const { status, diary } = await post('/v1/containments', { ...good, selector })
    expect(status).toBe(202)
    expect(diary).toEqual(['contain {"repository":"acme/payments"} for INC-1 by people#dana'])
  })

  test('R92 a dry run needs no reason, and begins nothing', async () => {
    const { status, diary } = await post('/v1/containments', {
      selector: { everything: true },
      dryRun: true,
    })
    expect([status, diary]).toEqual([200, ['preview {"everything":true}']])
  })

  test('R93 freezes are made and lifted by a responder, with a reason', async () => {
    const made = await post('/v1/freezes', { selector: { provider: 'aws' }, reason: 'r' })
    expect([made.status, made.diary]).toEqual([201, ['freeze {"provider":"aws"} by people#dana']])
    const lifted = await post('/v1/freezes/frz_1/lift', { reason: 'over' })
    expect([lifted.status, lifted.diary]).toEqual([200, ['lift frz_1 by people#dana: over']])
  })

  test.each(['responder', 'platform', 'auditor'])('a %s may look', async (role) => {
    const { server } = await brokerWorld()
    for (const path of ['/v1/freezes', '/v1/containments', '/v1/containments/cnt_1']) {
      const { status } = await request(server)
        .get(path)
        .set(bearer(`operator_${role}`))
      expect([path, status]).toEqual([path, 200])
    }
  })
})

describe('the stream of events', () => {
  test('says where a finished containment stands, and ends', async () => {
    const { server } = await brokerWorld()
    const { headers, text } = await request(server)
      .get('/v1/containments/cnt_1/events')
      .set({ ...responder, 'last-event-id': 'nonsense\u00e9' })
    expect(headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
    })
    expect(text).toMatch(/^id: 1\nevent: progress\ndata: \{.*"state":"finished".*\}\n\n$/)
  })

  test('ends when the broker stops, though there is more to come', async () => {
    const closing = new AbortController()
    const { server } = await brokerWorld({ closing })
    const ended = request(server).get('/v1/containments/cnt_2/events').set(responder)
    const answered = ended.then(({ text }) => text)
    setTimeout(() => {
      closing.abort()
    }, 100)
    expect(await answered).toMatch(/^id: 1\nevent: progress\n/)
  })
})
