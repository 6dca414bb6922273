import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'

import { ERRANDS } from '../support/errands.ts'
import { until } from '../support/until.ts'
import type { Answer } from './call.ts'
import { usesOf } from './uses.ts'
import { openWorld, type Started, type World } from './world.ts'

interface Document {
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly spec: Readonly<Record<string, unknown>>
}

/** What "within a second" may take on a machine that does other things too. */
const SOON_MS = 10_000

let world: World
let second: Started
let original: readonly Document[]
beforeAll(async () => {
  world = await openWorld()
  second = await world.start('broker')
  const [row] = await world.sql('SELECT resources FROM policy_sets')
  const resources = row?.['resources'] as { document: Document }[] // what the sandbox applied
  original = resources.map(({ document }) => document)
}, 120_000)
afterAll(() => world.stop(), 60_000)

beforeEach(async () => {
  expect((await apply(original)).status).toBe(200)
})

async function apply(resources: readonly object[], more: object = {}): Promise<Answer> {
  const token = await world.stack.tokens.person('platform')
  return world.call('POST', '/v1/policy-sets', { token, body: { resources, ...more } })
}

async function current(url = world.stack.url): Promise<unknown> {
  const token = await world.stack.tokens.person('auditor')
  const { json } = await world.call('GET', '/v1/policy-sets/current', { token, url })
  return json['policySet']
}

/** The set with a resource's spec changed, or without the resource. */
function changed(kind: string, name: string, spec: object | null): readonly object[] {
  return original.flatMap((one) => {
    if (one.kind !== kind || one.metadata.name !== name) return [one]
    return spec === null ? [] : [{ ...one, spec: { ...one.spec, ...spec } }]
  })
}

const OWNED_BY_NOBODY = {
  name: 'data-pipeline',
  owner: 'ghost@acme.example',
  environment: 'development',
}

function isNamed(document: object, name: string): boolean {
  return 'metadata' in document && Reflect.get(document.metadata as object, 'name') === name
}

function guardrail(policy: string): object {
  const metadata = { name: 'e2e', owner: 'platform@acme.example' }
  return { apiVersion: 'mayfly.dev/v1', kind: 'Guardrail', metadata, spec: { policy } }
}

const SHORT_READS = `
  @id("no-long-reads")
  @reason("secrets are read within five minutes: ask for ttlSeconds 300 or less")
  forbid(principal, action == Mayfly::Action::"secret.read", resource) 
    when { principal.team == "payments" && context.ttl > 300 };`

test('R13 only the platform team applies a set', async () => {
  const before = await current()
  const tokens = [
    await world.stack.tokens.person('responder'),
    await world.stack.tokens.person('auditor'),
    await world.stack.tokens.githubActions('payments'),
  ]
  const answers = []
  for (const token of tokens) {
    const body = { resources: changed('ScopeTemplate', 'vault-kv-read', null) }
    answers.push(await world.call('POST', '/v1/policy-sets', { token, body }))
  }
  expect(answers.map(({ status, json }) => [status, json['code']])).toEqual([
    [403, 'role_required'],
    [403, 'role_required'],
    [401, 'unauthenticated'],
  ])
  expect(await current()).toEqual(before)
})

test('a dry run changes nothing, and the same set again is no new version', async () => {
  const before = await current()
  const dry = await apply(changed('ScopeTemplate', 'vault-kv-read', null), { dryRun: true })
  expect(dry).toMatchObject({ status: 200, json: { applied: false } })
  expect(dry.json['policySet']).not.toEqual(before)
  const again = await apply(original)
  expect(again.json).toEqual({ applied: false, policySet: before })
  expect(await current()).toEqual(before)
})

test('G8 R46 an invalid set changes nothing, and all that is wrong with it is said', async () => {
  const before = await current()
  const bad = [
    ...changed('Agent', 'web-ci', { identities: [{ issuer: 'nobody', subject: 'x' }] }),
    guardrail(SHORT_READS),
  ].map((one) => (isNamed(one, 'data-pipeline') ? { ...one, metadata: OWNED_BY_NOBODY } : one))
  const answer = await apply(bad)
  expect([answer.status, answer.json['code']]).toEqual([422, 'policy_set_invalid'])
  const said = JSON.stringify(answer.json['details'])
  for (const part of ['web-ci', 'nobody', 'data-pipeline', 'ghost@acme.example'])
    expect(said).toContain(part)
  expect(await current()).toEqual(before)
  expect(await current(second.url)).toEqual(before)
  await world.issue(await world.openTask(), ERRANDS.vault)
})

test('R46 another broker has a new set within a second, without a restart', async () => {
  const applied = await apply([...original, guardrail(SHORT_READS)])
  expect(applied.json['applied']).toBe(true)
  const startedAt = performance.now()
  const expected = JSON.stringify(applied.json['policySet'])
  await until(async () => JSON.stringify(await current(second.url)) === expected, SOON_MS)
  process.stdout.write(
    `the other broker had the set after ${(performance.now() - startedAt).toFixed(0)} ms\n`,
  )
  const task = await world.openTask()
  const body = { ...ERRANDS.vault, ttlSeconds: 600 }
  const answer = await world.call('POST', '/v1/leases', {
    token: task.token,
    body,
    url: second.url,
  })
  expect(answer.json['code']).toBe('denied')
})

test('G9 R53 a new guardrail says why, and what would pass does pass', async () => {
  const task = await world.openTask()
  const applied = await apply([...original, guardrail(SHORT_READS)])
  expect(applied.json['applied']).toBe(true)
  const denied = await world.ask(task, { ...ERRANDS.vault, ttlSeconds: 600 })
  expect(denied).toMatchObject({
    status: 403,
    json: {
      code: 'denied',
      explanation: {
        code: 'denied',
        rule: 'no-long-reads',
        message: expect.stringContaining('ask for ttlSeconds 300 or less'),
        nearest: { ...ERRANDS.vault, ttlSeconds: expect.any(Number) },
      },
    },
  })
  const { nearest } = denied.json['explanation'] as { nearest: object } // matched above
  const issued = await world.issue(task, nearest)
  expect(issued.lease.requestedTtlSeconds).toBeLessThanOrEqual(300)
})

test('a template that is gone gives nothing more, and what it gave is still revoked', async () => {
  const task = await world.openTask()
  const { lease, credential } = await world.issue(task, { ...ERRANDS.vault, ttlSeconds: 60 })
  await apply(changed('ScopeTemplate', 'vault-kv-read', null))
  const refused = await world.ask(task, ERRANDS.vault)
  expect([refused.status, refused.json['code']]).toEqual([404, 'scope_template_unknown'])
  const given = await world.call('DELETE', `/v1/leases/${lease.id}`, { token: task.token })
  expect(given.status).toBe(200)
  await world.settled(lease.id)
  expect(await usesOf(world.stack.standins).vault.allowed(credential)).toBe(false)
})

test('a connection that is gone too: what it minted is revoked all the same', async () => {
  const task = await world.openTask()
  const { lease, credential } = await world.issue(task, { ...ERRANDS.vault, ttlSeconds: 3 })
  const without = original.filter(
    ({ kind, metadata, spec }) =>
      spec['connection'] !== 'vault-acme' &&
      !(kind === 'Connection' && metadata.name === 'vault-acme'),
  )
  expect((await apply(without)).status).toBe(200)
  await world.settled(lease.id)
  expect(await usesOf(world.stack.standins).vault.allowed(credential)).toBe(false)
})

test('R12 nothing is issued for an owner who left', async () => {
  const task = await world.openTask()
  const workload = await world.stack.tokens.githubActions('payments')
  await apply(changed('Owner', 'bob@acme.example', { active: false }))
  const lease = await world.ask(task, ERRANDS.github)
  expect([lease.status, lease.json['code']]).toEqual([403, 'owner_inactive'])
  await expect(world.openTask({ workload })).rejects.toThrow('"code":"denied"')
  const renewed = await world.call('POST', `/v1/tasks/${task.id}/token`, { token: workload })
  expect([renewed.status, renewed.json['code']]).toEqual([403, 'denied'])
  expect(JSON.stringify(await world.issue(await otherTask(), CHECKOUT))).toContain('web-ci')
})

test('R93 a quarantined agent gets nothing from that moment on, in any broker', async () => {
  const task = await world.openTask()
  const workload = await world.stack.tokens.githubActions('payments')
  await world.issue(task, ERRANDS.vault)
  const applied = await apply(changed('Agent', 'payments-ci', { quarantined: true }))
  expect(applied.status).toBe(200)
  const denied = await world.ask(task, ERRANDS.vault)
  expect([denied.status, denied.json['code']]).toEqual([403, 'denied'])
  await expect(world.openTask({ workload })).rejects.toThrow('"code":"denied"')
  const call = { token: task.token, body: ERRANDS.vault, url: second.url }
  await until(
    async () => (await world.call('POST', '/v1/leases', call)).json['code'] === 'denied',
    SOON_MS,
  )
  // Others are none the worse for it.
  await world.issue(await otherTask(), CHECKOUT)
})

const CHECKOUT = {
  template: 'github-checkout',
  actions: ['repo.read'],
  parameters: { repository: 'web' },
}

async function otherTask(): Promise<Awaited<ReturnType<World['openTask']>>> {
  const workload = await world.stack.tokens.githubActions('web')
  return world.openTask({ workload, declarations: [{ ...CHECKOUT, parameters: {} }] })
}
