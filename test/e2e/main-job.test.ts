import { request } from 'node:http'

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'

import { ERRAND_NAMES, ERRANDS, type ErrandName } from '../support/errands.ts'
import { until } from '../support/until.ts'
import { usesOf, type Uses } from './uses.ts'
import { openWorld, type World } from './world.ts'

let world: World
let uses: Record<ErrandName, Uses>
beforeAll(async () => {
  world = await openWorld()
  uses = usesOf(world.stack.standins)
}, 120_000)
afterAll(() => world.stop(), 60_000)

test('G2 every lease works for what it is for and nothing else, until its time is up', async () => {
  const task = await world.openTask()
  const held = await Promise.all(
    ERRAND_NAMES.map(async (name) => {
      const wish = { ...ERRANDS[name], ttlSeconds: 4 }
      return { name, use: uses[name], ...(await world.issue(task, wish)) }
    }),
  )
  for (const { name, use, lease, credential } of held) {
    const lasts = Date.parse(lease.expiresAt) - Date.parse(lease.createdAt)
    const [allowed, forbidden] = [await use.allowed(credential), await use.forbidden(credential)]
    expect({ name, lasts, allowed, forbidden }).toEqual({
      ...{ name, lasts: 4000, allowed: true, forbidden: false },
    })
  }
  for (const { name, use, lease, credential } of held) {
    const dead = await world.settled(lease.id)
    expect(dead).toMatchObject({ endReason: 'lease_ended', irrevocable: null })
    expect(dead.revocationProof).toEqual(expect.any(String))
    expect(dead.endedAt).toBe(lease.expiresAt)
    expect({ name, allowed: await use.allowed(credential) }).toEqual({ name, allowed: false })
  }
}, 60_000)

describe.each(ERRAND_NAMES)('a %s lease', (name) => {
  const errand = ERRANDS[name]

  test('G12 R24 dies when its task closes', async () => {
    const task = await world.openTask()
    const { lease, credential } = await world.issue(task, errand)
    expect(await uses[name].allowed(credential)).toBe(true)

    const closed = await world.call('POST', `/v1/tasks/${task.id}/close`, { token: task.token })
    expect(closed.json).toMatchObject({ leaseIds: [lease.id] })
    expect(await world.settled(lease.id)).toMatchObject({ endReason: 'task_closed' })
    expect(await uses[name].allowed(credential)).toBe(false)
  })

  test('dies when its holder gives it back, and says honestly when', async () => {
    const task = await world.openTask()
    const { lease, credential } = await world.issue(task, errand)
    const path = `/v1/leases/${lease.id}`
    const given = await world.call('DELETE', path, { token: task.token })
    expect(given.status).toBe(200)
    const { state } = given.json['lease'] as { state: string } // the contract of 200
    if (state === 'revoked') expect(await uses[name].allowed(credential)).toBe(false)
    else expect(state).toBe('revoking')

    expect(await world.settled(lease.id)).toMatchObject({ endReason: 'holder' })
    expect(await uses[name].allowed(credential)).toBe(false)
    const again = await world.call('DELETE', path, { token: task.token })
    expect(again.json['lease']).toMatchObject({ state: 'revoked', endReason: 'holder' })
  })

  test('G11 R63 another lease of the same subject on the same thing goes on', async () => {
    const first = await world.openTask()
    const second = await world.openTask()
    const one = await world.issue(first, errand)
    const other = await world.issue(second, errand)
    expect(one.credential).not.toEqual(other.credential)

    await world.call('DELETE', `/v1/leases/${one.lease.id}`, { token: first.token })
    await world.settled(one.lease.id)
    expect(await uses[name].allowed(one.credential)).toBe(false)
    expect(await uses[name].allowed(other.credential)).toBe(true)
    await world.call('POST', `/v1/tasks/${second.id}/close`, { token: second.token })
    await world.settled(other.lease.id)
  })
})

describe('what a lease says of itself', () => {
  test('R21 both ends: ours, and the hour that GitHub gives and nobody can shorten', async () => {
    const { lease } = await world.issue(await world.openTask(), {
      ...ERRANDS.github,
      ttlSeconds: 60,
    })
    const minutesUntil = (instant: string): number =>
      Math.round((Date.parse(instant) - Date.parse(lease.createdAt)) / 60_000)
    expect([lease.expiresAt, lease.credentialExpiresAt].map(minutesUntil)).toEqual([1, 60])
  })

  test('R29 nothing of it may be stored on the way', async () => {
    const task = await world.openTask()
    const answers = [
      await world.ask(task, { ...ERRANDS.vault, ttlSeconds: 60 }),
      await world.ask(task, { ...ERRANDS.vault, ttlSeconds: 0 }),
      await world.call('GET', '/v1/leases', { token: task.token }),
    ]
    const said = answers.map(({ status, headers }) => [status, headers.get('cache-control')])
    expect(said).toEqual([
      [201, 'no-store'],
      [400, 'no-store'],
      [200, 'no-store'],
    ])
  })
})

describe('G5 a credential that could not be delivered', () => {
  test('is dead, and its lease says why', async () => {
    const task = await world.openTask()
    const { github } = world.stack.standins
    const before = github.issued().length
    github.faults.next({ kind: 'slow', milliseconds: 700 }, 'mint')
    const asking = request(new URL('/v1/leases', world.stack.url), {
      method: 'POST',
      headers: { authorization: `Bearer ${task.token}`, 'content-type': 'application/json' },
    })
    asking.on('error', () => undefined)
    asking.end(JSON.stringify(ERRANDS.github))
    const asked = github.requests().length
    await until(() => github.requests().length > asked)
    asking.destroy()

    await until(() => github.issued().length > before)
    const minted = github.issued().at(-1)
    const listed = await world.call('GET', '/v1/leases', { token: task.token })
    const [{ id }] = listed.json['leases'] as [{ id: string }] // one task, one lease
    expect(await world.settled(id)).toMatchObject({ endReason: 'undelivered', deliveredAt: null })
    const token = github.issued().find((one) => one.token === minted?.token)
    expect(token?.revokedAt).toBeInstanceOf(Date)
  })
})

describe('R26 the same request sent twice', () => {
  const headers = { 'idempotency-key': 'once-and-never-again' }

  test('G5 mints once, and does not hand the secret over again', async () => {
    const task = await world.openTask()
    const first = await world.ask(task, ERRANDS.vault, headers)
    const issued = world.issued()
    const second = await world.ask(task, ERRANDS.vault, headers)
    const other = await world.ask(task, { ...ERRANDS.vault, ttlSeconds: 30 }, headers)
    expect([first.status, second.status, other.status]).toEqual([201, 409, 409])
    expect(second.json['code']).toBe('credential_already_delivered')
    expect(other.json['code']).toBe('idempotency_conflict')
    const { token = '' } = first.json['credential'] as Record<string, string> // the contract of 201
    expect(token).not.toBe('')
    expect(second.text + other.text).not.toContain(token)
    expect(world.issued()).toBe(issued)
  })

  test('mints once when both come at the same time', async () => {
    const task = await world.openTask()
    const issued = world.issued()
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => world.ask(task, ERRANDS.github, headers)),
    )
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409, 409])
    expect(world.issued()).toBe(issued + 1)
  })

  test('is the same task, and another body is a conflict', async () => {
    const workload = await world.stack.tokens.githubActions('payments')
    const first = await world.openTask({ workload, headers })
    const second = await world.openTask({ workload, headers })
    expect(second.id).toBe(first.id)
    await expect(world.openTask({ workload, headers, ttlSeconds: 99 })).rejects.toThrow(
      'idempotency_conflict',
    )
  })

  test('a key of one task means nothing in another', async () => {
    const [one, other] = [await world.openTask(), await world.openTask()]
    expect((await world.ask(one, ERRANDS.vault, headers)).status).toBe(201)
    expect((await world.ask(other, ERRANDS.vault, headers)).status).toBe(201)
  })
})

describe('who may be an agent', () => {
  test('all three issuers, each agent for its own things', async () => {
    const { tokens } = world.stack
    const checkout = {
      template: 'github-checkout',
      actions: ['repo.read'],
      parameters: { repository: 'web' },
    }
    const declarations = [{ ...checkout, parameters: {} }]
    const workloads = [
      await tokens.githubActions('web'),
      await tokens.laptop('e2e'),
      await tokens.gitlab(),
    ]
    const agents = []
    for (const workload of workloads) {
      const task = await world.openTask({ workload, declarations })
      const { lease } = await world.issue(task, checkout)
      agents.push(lease.agent)
    }
    expect(agents).toEqual(['web-ci', 'alice-laptop', 'data-pipeline'])
  })

  test('R8 a workload token opens one task', async () => {
    const workload = await world.stack.tokens.laptop('replay')
    const declarations = [{ template: 'github-checkout', actions: ['repo.read'], parameters: {} }]
    await world.openTask({ workload, declarations })
    await expect(world.openTask({ workload, declarations })).rejects.toThrow('token_replayed')
  })

  test('a task goes on with a fresh workload token, and only of its own subject', async () => {
    const { tokens } = world.stack
    const task = await world.openTask()
    const path = `/v1/tasks/${task.id}/token`
    const fresh = await tokens.githubActions('payments')
    const renewed = await world.call('POST', path, { token: fresh })
    expect(renewed).toMatchObject({ status: 201, json: { task: { id: task.id } } })
    const token = String(renewed.json['taskToken'])
    expect(token).not.toBe(task.token)
    await world.issue({ ...task, token }, ERRANDS.vault)

    const refusals = [
      await world.call('POST', path, { token: fresh }),
      await world.call('POST', path, { token: await tokens.githubActions('web') }),
    ]
    expect(refusals.map(({ status, json }) => [status, json['code']])).toEqual([
      [401, 'token_replayed'],
      [404, 'task_unknown'],
    ])
  })

  test('R24 a task that ran out takes its leases with it', async () => {
    const task = await world.openTask({ ttlSeconds: 3 })
    const { lease, credential } = await world.issue(task, ERRANDS.aws)
    expect(lease.expiresAt <= task.body.notAfter).toBe(true)
    await world.settled(lease.id)
    expect(await uses.aws.allowed(credential)).toBe(false)
    await until(async () => {
      const [row] = await world.sql('SELECT close_reason FROM tasks WHERE id = $1', [task.id])
      return row?.['close_reason'] === 'overdue'
    })
    const token = await world.stack.tokens.githubActions('payments')
    const renewed = await world.call('POST', `/v1/tasks/${task.id}/token`, { token })
    expect(renewed.json['code']).toBe('task_closed')
  })
})

test('G1 in the end nothing is live that the database does not call live', async () => {
  const open = await world.sql('SELECT id FROM tasks WHERE closed_at IS NULL')
  const token = await world.stack.tokens.person('responder')
  for (const { id } of open) await world.call('POST', `/v1/tasks/${String(id)}/close`, { token })
  await until(() => world.live() === 0)
  await until(async () => {
    const live = await world.sql("SELECT 1 FROM leases WHERE state NOT IN ('revoked', 'failed')")
    return live.length === 0
  })
  const [counted] = await world.sql("SELECT count(*)::int AS n FROM leases WHERE state = 'revoked'")
  const databases = await world.sql("SELECT 1 FROM leases WHERE template LIKE 'vault-database%'")
  // Each database user comes with the helper token that it hangs on.
  expect(world.issued()).toBe(Number(counted?.['n']) + databases.length)
})
