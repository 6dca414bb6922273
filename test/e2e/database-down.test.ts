import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { problemSchema } from '@mayfly/protocol'

import { startSeverableProxy, type SeverableProxy } from '../support/severable-proxy.ts'
import { ERRANDS } from '../support/errands.ts'
import { until } from '../support/until.ts'
import type { Answer } from './call.ts'
import { usesOf } from './uses.ts'
import { openWorld, type World } from './world.ts'

let proxy: SeverableProxy
let severed = false
let world: World
beforeAll(async () => {
  world = await openWorld({
    throughProxy: behindProxy,
    environment: { PROVIDER_TIMEOUT_MS: '1500' },
  })
}, 120_000)
afterAll(async () => {
  await restore()
  await world.stop()
  await proxy.stop()
}, 60_000)

async function sever(): Promise<void> {
  severed = true
  await proxy.sever()
}

async function restore(): Promise<void> {
  if (severed) await proxy.restore()
  severed = false
}

async function behindProxy(databaseUrl: string): Promise<string> {
  const url = new URL(databaseUrl)
  const folder = url.searchParams.get('host')
  const target =
    folder === null
      ? { host: url.hostname, port: Number(url.port || '5432') }
      : { path: `${folder}/.s.PGSQL.${url.port || '5432'}` }
  proxy = await startSeverableProxy(target)
  url.searchParams.delete('host')
  url.host = `127.0.0.1:${String(proxy.port)}`
  return url.href
}

function expectUnavailable(answer: Answer): void {
  expect(problemSchema.parse(answer.json)).toMatchObject({
    ...{ status: 503, code: 'database_unavailable', retryable: true },
  })
  expect(answer.text).not.toMatch(/ECONN|127\.0\.0\.1|postgres|prisma/i)
}

test('G8 without its database the broker says so, mints nothing, and comes back', async () => {
  const { stack } = world
  const task = await world.openTask()
  const { lease, credential } = await world.issue(task, { ...ERRANDS.vault, ttlSeconds: 60 })
  const token = await stack.tokens.person('auditor')
  const workload = await stack.tokens.githubActions('payments')
  const issued = world.issued()
  const [rows] = await world.sql('SELECT count(*) FROM leases')

  await sever()
  const body = { intent: { reason: 'nothing' }, declarations: [ERRANDS.vault] }
  expectUnavailable(await world.call('POST', '/v1/tasks', { token: workload, body }))
  expectUnavailable(await world.ask(task, ERRANDS.github))
  expectUnavailable(await world.ask(task, { ...ERRANDS.vault, parameters: { team: 'web' } }))
  expectUnavailable(await world.call('GET', `/v1/leases/${lease.id}`, { token }))
  expectUnavailable(await world.call('DELETE', `/v1/leases/${lease.id}`, { token: task.token }))
  expectUnavailable(await world.call('POST', `/v1/tasks/${task.id}/close`, { token: task.token }))
  const ready = await world.call('GET', '/readyz')
  expect(ready).toMatchObject({ status: 503, json: { checks: { database: 'failing' } } })
  expect((await world.call('GET', '/healthz')).status).toBe(200)
  expect(world.issued()).toBe(issued)
  expect(await world.sql('SELECT count(*) FROM leases')).toEqual([rows])

  await restore()
  await until(async () => (await world.call('GET', '/readyz')).status === 200)
  // What was refused left nothing behind: even the workload token may be used.
  const again = await world.openTask({ workload })
  await world.issue(again, ERRANDS.github)
  for (const { id } of [task, again]) {
    const responder = await stack.tokens.person('responder')
    await world.call('POST', `/v1/tasks/${id}/close`, { token: responder })
  }
  await world.settled(lease.id)
  expect(await usesOf(stack.standins).vault.allowed(credential)).toBe(false)
  await until(() => world.live() === 0)
}, 90_000)

test.each(['github', 'aws', 'vault', 'database'] as const)(
  'a %s credential that is minted while the database goes away is given to nobody and dies',
  async (name) => {
    const { github, aws, vault } = world.stack.standins
    const task = await world.openTask()
    const issued = world.issued()
    github.faults.next({ kind: 'slow', milliseconds: 1000 }, 'mint')
    const seen = (): number =>
      github.requests().length + aws.requests().length + vault.requests().length
    const before = seen()
    const asking = world.ask(task, ERRANDS[name])
    await until(() => seen() > before)
    await sever()
    const answer = await asking
    // Only GitHub is slow; the others may have been faster than the cut.
    if (name === 'github') expectUnavailable(answer)
    if (answer.status !== 201) expect(answer.text).not.toContain('credential"')
    await restore()
    github.faults.clear()
    if (name === 'github') expect(world.issued()).toBe(issued + 1)
    await until(async () => (await world.call('GET', '/readyz')).status === 200)
    await world.call('POST', `/v1/tasks/${task.id}/close`, { token: task.token })
    // Where the handle could not be stored, the deadline of the mint ends it.
    await until(() => world.live() === 0, 40_000)
  },
  90_000,
)

test('a worker that lost its database goes on sweeping when it is back', async () => {
  const task = await world.openTask()
  const { lease } = await world.issue(task, { ...ERRANDS.vault, ttlSeconds: 2 })
  await sever()
  await until(() => Date.parse(lease.expiresAt) < Date.now())
  await restore()
  expect(await world.settled(lease.id)).toMatchObject({ endReason: 'lease_ended' })
}, 60_000)
