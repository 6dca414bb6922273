import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { CredentialText, makeClient, ProblemError, type Client } from '@mayfly/protocol'
import pg from 'pg'

import { ERRAND_NAMES, ERRANDS } from '../support/errands.ts'
import { until } from '../support/until.ts'
import { usesOf } from './uses.ts'
import { openWorld, type World } from './world.ts'

let world: World
let client: Client
beforeAll(async () => {
  // Nothing is revoked by chance: only what notifications wake the worker for, or its alarms.
  world = await openWorld({ environment: { SWEEP_INTERVAL_MS: '1000' } })
  client = makeClient({ baseUrl: world.stack.url })
}, 120_000)
afterAll(() => world.stop(), 60_000)
afterEach(async () => {
  const call = await responder()
  for (const { id } of await client.listFreezes({ inForce: true }, call)) {
    await client.liftFreeze(id, 'the test is over', call)
  }
})

async function responder() {
  return { token: new CredentialText(await world.stack.tokens.person('responder')) }
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'no error',
    (error: unknown) => {
      if (error instanceof ProblemError) return error.problem.code
      throw error
    },
  )
}

test('R92 what can write to a repository is previewed, frozen, killed and proven dead', async () => {
  const task = await world.openTask()
  const uses = usesOf(world.stack.standins)
  const issued = await Promise.all(
    ERRAND_NAMES.map(async (name) => ({ name, ...(await world.issue(task, ERRANDS[name])) })),
  )
  const [github, ...others] = issued
  if (!github) throw new Error('there are four errands')
  const call = await responder()
  const selector = { repository: 'Acme/Payments', permission: 'contents:write' }

  const preview = await client.previewContainment({ selector }, call)
  expect(preview).toMatchObject({ total: 1, byProvider: { github: 1 }, truncated: false })
  expect(preview.leases.map(({ id }) => id)).toEqual([github.lease.id])
  expect(await uses.github.allowed(github.credential)).toBe(true)

  const request = { selector, reason: 'token seen in a build log', incident: 'INC-1' }
  const repeatable = { ...call, idempotencyKey: 'inc-1' }
  const begun = await client.contain(request, repeatable)
  expect(await client.contain(request, repeatable)).toMatchObject({ id: begun.id })
  expect(await codeOf(client.contain({ ...request, incident: 'INC-2' }, repeatable))).toBe(
    'idempotency_conflict',
  )
  const states: string[] = []
  for await (const { state } of client.watchContainment(begun.id, call)) states.push(state)
  expect(states.at(-1)).toBe('finished')

  expect(await uses.github.allowed(github.credential)).toBe(false)
  const { containment, leases } = await client.getContainment(begun.id, {}, call)
  expect(containment).toMatchObject({ total: 1, frozen: true, counts: { revoked: 1 } })
  expect(leases).toMatchObject([
    { leaseId: github.lease.id, state: 'revoked', proof: expect.stringMatching(/./) },
  ])
  for (const { name, lease, credential } of others) {
    expect([name, (await world.lease(lease.id)).state]).toEqual([name, 'active'])
    expect([name, await uses[name].allowed(credential)]).toEqual([name, true])
  }

  const refused = await world.ask(task, ERRANDS.github)
  expect([refused.status, refused.json['code']]).toEqual([403, 'frozen'])
  const cancelling = client.cancelContainment(begun.id, 'too late', call)
  expect(await codeOf(cancelling)).toBe('containment_finished')
  await client.liftFreeze(begun.freezeId, 'the log was deleted', call)
  expect((await world.ask(task, ERRANDS.github)).status).toBe(201)
}, 60_000)

test('R92 everything: all providers, side effects told before, and nothing live after', async () => {
  const task = await world.openTask()
  await Promise.all(ERRAND_NAMES.map((name) => world.issue(task, ERRANDS[name])))
  const call = await responder()
  const selector = { everything: true } as const
  const preview = await client.previewContainment({ selector }, call)
  expect(preview.sideEffects.map(({ kind }) => kind)).toEqual(['aws_deny_policy', 'tasks_frozen'])
  const begun = await client.contain({ selector, reason: 'breach', incident: 'INC-3' }, call)
  await until(async () => {
    const { containment } = await client.getContainment(begun.id, {}, call)
    return containment.state === 'finished'
  }, 100_000)
  expect(world.live()).toBe(0)
  const nothing = client.contain({ selector, reason: 'r', incident: 'INC-4' }, call)
  expect(await codeOf(nothing)).toBe('selector_matches_nothing')
}, 120_000)

test('G10 R92 killing the broker and the worker in the middle loses nothing', async () => {
  const { stack } = world
  const tasks = await Promise.all(Array.from({ length: 6 }, () => world.openTask()))
  const issued = await Promise.all(tasks.map((task) => world.issue(task, ERRANDS.vault)))
  const call = await responder()
  const locked = new pg.Client({ connectionString: stack.databaseUrl })
  await locked.connect()
  // Nobody can end this one, and so not the batch that it is in.
  await locked.query('BEGIN')
  await locked.query('SELECT FROM leases WHERE id = $1 FOR UPDATE', [issued.at(-1)?.lease.id])
  const selector = { vaultPath: 'kv/data/payments' }
  const begun = await client.contain({ selector, reason: 'breach', incident: 'INC-5' }, call)
  expect(begun).toMatchObject({ state: 'ending', total: 6 })
  stack.broker.kill('SIGKILL')
  for (const worker of stack.workers) worker.kill('SIGKILL')
  await Promise.all([stack.broker, ...stack.workers].map(({ ended }) => ended))
  await locked.end()
  const [{ left } = {}] = await world.sql(
    'SELECT count(*)::int AS left FROM leases WHERE id = ANY ($1) AND ended_at IS NULL',
    [issued.map(({ lease }) => lease.id)],
  )
  expect(left).toBe(6)
  expect(world.live()).toBeGreaterThanOrEqual(6)

  await world.start('worker')
  await until(async () => {
    const [{ dead } = {}] = await world.sql(
      `SELECT count(*)::int AS dead FROM leases WHERE id = ANY ($1) AND state = 'revoked'`,
      [issued.map(({ lease }) => lease.id)],
    )
    return dead === 6
  })
  await world.start('broker', { PORT: stack.url.port })
  const { containment } = await client.getContainment(begun.id, {}, await responder())
  expect(containment).toMatchObject({ state: 'finished', counts: { revoked: 6 } })
}, 120_000)

test('G10 R93 of two hundred mints that race a freeze over HTTP, none that got through lives on', async () => {
  // The template lets each task hold three leases.
  const tasks = await Promise.all(Array.from({ length: 67 }, () => world.openTask()))
  const call = await responder()
  const codes: string[] = []
  const waiting = [...tasks, ...tasks, ...tasks].values()
  const lane = async (): Promise<void> => {
    for (const task of waiting) {
      const { status, json } = await world.ask(task, ERRANDS.vault)
      codes.push(status === 201 ? 'minted' : String(json['code']))
    }
  }
  const minting = Promise.all(Array.from({ length: 20 }, lane))
  await until(() => codes.length > 5)
  await client.contain(
    { selector: { provider: 'vault' }, reason: 'breach', incident: 'INC-6' },
    call,
  )
  await minting
  expect(codes).toEqual(expect.arrayContaining(['minted', 'frozen']))
  await until(async () => {
    const [{ live } = {}] = await world.sql(
      `SELECT count(*)::int AS live FROM leases
        WHERE provider = 'vault' AND state NOT IN ('failed', 'revoked', 'expired')`,
    )
    return live === 0
  })
  expect(world.stack.standins.vault.live()).toEqual([])
}, 120_000)
