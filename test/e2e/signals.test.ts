import { randomUUID } from 'node:crypto'

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { startOidcStandin, type IssueOptions, type OidcStandin } from '@mayfly/standins'

import { ERRANDS, type ErrandName } from '../support/errands.ts'
import { until } from '../support/until.ts'
import { applyMore } from './apply-more.ts'
import type { Answer } from './call.ts'
import { usesOf, type Uses } from './uses.ts'
import { openWorld, type World } from './world.ts'

const CAEP = 'https://schemas.openid.net/secevent/caep/event-type/'
const AUDIENCE = 'https://mayfly.acme.example/events'
const BOB = { format: 'email', email: 'Bob@acme.example' }

let world: World
let uses: Record<ErrandName, Uses>
let idp: OidcStandin
beforeAll(async () => {
  world = await openWorld()
  uses = usesOf(world.stack.standins)
  idp = await startOidcStandin()
  const applied = await applyMore(world, [
    {
      apiVersion: 'mayfly.dev/v1',
      kind: 'Issuer',
      metadata: { name: 'idp-events' },
      spec: {
        type: 'oidc',
        tokenClass: 'events',
        environments: ['development'],
        issuer: idp.issuer,
        audience: AUDIENCE,
        algorithms: ['RS256', 'ES256'],
        keys: 'discovery',
        maxTokenAge: '1h',
      },
    },
  ])
  expect(applied.status).toBe(200)
}, 120_000)
afterAll(async () => {
  await Promise.all([world.stop(), idp.stop()])
}, 60_000)

type Claims = Readonly<Record<string, unknown>>

const set = (event: string, claims: Claims = {}, options: IssueOptions = {}): Promise<string> => {
  const { payload = {}, ...more } = claims
  const body = { aud: AUDIENCE, exp: undefined, sub_id: BOB, events: { [CAEP + event]: payload } }
  return idp.issue({ ...body, ...more }, { type: 'secevent+jwt', ...options })
}

const push = (token: string, headers = { 'content-type': 'application/secevent+jwt' }) =>
  world.call('POST', '/v1/security-events', { body: token, headers })

async function tell(event: string, claims: Claims = {}): Promise<void> {
  const { status, text } = await push(await set(event, claims))
  expect({ status, text }).toEqual({ status: 202, text: '' })
}

interface Lease {
  readonly id: string
  readonly taskId: string
  readonly taskToken: string
  readonly works: () => Promise<boolean>
}

/** A lease of the payments pipeline, which is Bob’s. */
async function bobsLease(): Promise<Lease> {
  const task = await world.openTask()
  const { lease, credential } = await world.issue(task, ERRANDS.github)
  const works = (): Promise<boolean> => uses.github.allowed(credential)
  expect(await works()).toBe(true)
  return { id: lease.id, taskId: task.id, taskToken: task.token, works }
}

const asks = async (): Promise<Answer> => world.ask(await world.openTask(), ERRANDS.github)

const events = (type: string, jti: string): Promise<readonly Record<string, unknown>[]> =>
  world.sql('SELECT data FROM audit_events WHERE type = $1 AND subject = $2', [
    type,
    `idp-events#${jti}`,
  ])

async function liftAll(): Promise<void> {
  const token = await world.stack.tokens.person('responder')
  const frozen = await world.sql('SELECT id FROM freezes WHERE lifted_at IS NULL')
  for (const { id } of frozen) {
    const path = `/v1/freezes/${String(id)}/lift`
    const { status } = await world.call('POST', path, { token, body: { reason: 'a test' } })
    expect(status).toBe(200)
  }
}

describe('R94 a security event', () => {
  test('a revoked session ends what is live, and the transmitter is named as the cause', async () => {
    const lease = await bobsLease()
    const jti = randomUUID()
    await tell('session-revoked', { jti })
    expect(await world.settled(lease.id)).toMatchObject({ endReason: 'containment' })
    expect(await lease.works()).toBe(false)
    // The task that was open goes on with nothing.
    const more = await world.call('POST', '/v1/leases', {
      token: lease.taskToken,
      body: ERRANDS.github,
    })
    expect(more).toMatchObject({ status: 403, json: { code: 'frozen' } })

    expect(await events('security_event.received', jti)).toMatchObject([
      { data: { transmitter: 'idp-events', event: 'session-revoked' } },
    ])
    expect(await events('containment.started', jti)).toMatchObject([
      { data: { reason: 'session-revoked from idp-events' } },
    ])
    expect(await events('security_event.finished', jti)).toMatchObject([
      { data: { outcome: 'applied' } },
    ])
    const [freeze] = await world.sql('SELECT expires_at FROM freezes WHERE created_by = $1', [
      `idp-events#${jti}`,
    ])
    expect(freeze?.['expires_at']).toEqual(expect.any(Date))
    await liftAll()
  })

  test('a repeated one has no second effect', async () => {
    const jti = randomUUID()
    const token = await set('credential-change', {
      jti,
      payload: { change_type: 'revoke', credential_type: 'password' },
    })
    const lease = await bobsLease()
    expect((await push(token)).status).toBe(202)
    await world.settled(lease.id)
    await liftAll()

    const other = await bobsLease()
    expect((await push(token)).status).toBe(202)
    expect((await push(token)).status).toBe(202)
    expect(await world.lease(other.id)).toMatchObject({ state: 'active' })
    expect(await events('security_event.received', jti)).toHaveLength(1)
    expect(await events('containment.started', jti)).toHaveLength(1)
    expect(await events('security_event.finished', jti)).toHaveLength(1)
    expect(await world.sql('SELECT id FROM freezes WHERE lifted_at IS NULL')).toEqual([])
  })

  test.each([
    ['risk-level-change', { current_level: 'HIGH' }, { current_level: 'LOW' }],
    [
      'device-compliance-change',
      { current_status: 'not-compliant', previous_status: 'compliant' },
      { current_status: 'compliant', previous_status: 'not-compliant' },
    ],
  ])('%s stops issuing, and lets it go on', async (event, alarm, allClear) => {
    const lease = await bobsLease()
    await tell(event, { payload: alarm })
    expect(await world.settled(lease.id)).toMatchObject({ endReason: 'containment' })
    expect(await lease.works()).toBe(false)
    expect((await asks()).json['code']).toBe('frozen')

    // Somebody else's all-clear, and one that is older than the alarm, change nothing.
    await tell(event, {
      payload: allClear,
      sub_id: { format: 'email', email: 'alice@acme.example' },
    })
    await tell(event, { payload: { ...allClear, event_timestamp: 1_000_000_000 } })
    expect((await asks()).json['code']).toBe('frozen')

    await tell(event, { payload: { ...allClear, event_timestamp: Date.now() / 1000 + 5 } })
    await until(async () => (await asks()).status === 201)
  })

  test('is about whoever it names, in four ways', async () => {
    const { tokens } = world.stack
    const payments = { iss: world.stack.standins.oidc.named('github-actions').issuer }
    const workload = await tokens.githubActions('payments')
    const [, payload = ''] = workload.split('.')
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<
      string,
      string
    >
    const subjects = [
      { format: 'email', email: 'bob@acme.example' },
      { format: 'iss_sub', ...payments, sub: claims['sub'] },
      { format: 'opaque', id: 'payments-ci' },
    ]
    for (const subject of subjects) {
      const lease = await bobsLease()
      await tell('session-revoked', { sub_id: subject })
      expect(await world.settled(lease.id)).toMatchObject({ endReason: 'containment' })
      await liftAll()
    }

    const task = await world.openTask({ workload })
    const [mine, others] = [await world.issue(task, ERRANDS.github), await bobsLease()]
    await tell('session-revoked', { sub_id: { format: 'jwt_id', ...payments, jti: claims['jti'] } })
    await world.settled(mine.lease.id)
    expect(await world.lease(others.id)).toMatchObject({ state: 'active' })
    await liftAll()
  })

  test('about nobody here, or of another kind, is taken and changes nothing', async () => {
    const lease = await bobsLease()
    await tell('session-revoked', {
      sub_id: { format: 'email', email: 'stranger@elsewhere.example' },
    })
    await tell('session-established')
    await tell('risk-level-change', { payload: { current_level: 'MEDIUM' } })
    const verification = 'https://schemas.openid.net/secevent/ssf/event-type/verification'
    await tell('', {
      events: { [verification]: { state: 'x' } },
      sub_id: { format: 'opaque', id: 's' },
    })
    expect(await world.lease(lease.id)).toMatchObject({ state: 'active' })
    expect(await world.sql('SELECT id FROM freezes WHERE lifted_at IS NULL')).toEqual([])
  })
})

describe('R94 a token is refused with its own code and no effect', () => {
  const now = Math.floor(Date.now() / 1000)
  const refusals: [string, string, () => Promise<string>][] = [
    ['another audience', 'invalid_audience', () => set('session-revoked', { aud: 'https://x' })],
    ['another issuer', 'invalid_issuer', () => set('session-revoked', { iss: 'https://x' })],
    ['another type', 'invalid_request', () => set('session-revoked', {}, { type: 'JWT' })],
    ['an unknown key', 'invalid_key', () => set('session-revoked', {}, { kid: 'unknown' })],
    [
      'a signature that is not its own',
      'authentication_failed',
      async () => {
        const [head = '', body = ''] = (await set('session-revoked')).split('.')
        const [, , other = ''] = (await set('session-revoked')).split('.')
        return `${head}.${body}.${other}`
      },
    ],
    ['an expiry', 'invalid_request', () => set('session-revoked', { exp: now + 60 })],
    ['a subject at its top', 'invalid_request', () => set('session-revoked', { sub: 'alice' })],
    ['great age', 'invalid_request', () => set('session-revoked', { iat: now - 7200 })],
    ['two events', 'invalid_request', () => set('session-revoked', { events: { a: {}, b: {} } })],
    ['nothing in it', 'invalid_request', () => Promise.resolve('x')],
    ['an agent’s token', 'invalid_request', () => world.stack.tokens.githubActions('payments')],
  ]
  test.each(refusals)('with %s: %s', async (_name, err, token) => {
    const lease = await bobsLease()
    const answer = await push(await token())
    expect(answer).toMatchObject({ status: 400, json: { err } })
    expect(await world.lease(lease.id)).toMatchObject({ state: 'active', endedAt: null })
    await world.call('POST', `/v1/tasks/${lease.taskId}/close`, { token: lease.taskToken })
  })

  test('and a token of events opens no door', async () => {
    const token = await set('session-revoked', { sub: 'responder@acme.example', exp: now + 600 })
    const answers = [
      await world.call('GET', '/v1/leases', { token }),
      await world.call('POST', '/v1/leaks', { token, body: { credential: 'x' } }),
      await world.call('POST', '/v1/tasks', { token, body: {} }),
    ]
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 401])
  })
})
