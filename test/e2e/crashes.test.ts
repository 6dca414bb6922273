import { afterAll, beforeAll, expect, test } from '@jest/globals'

import { ERRAND_NAMES, ERRANDS } from '../support/errands.ts'
import { until } from '../support/until.ts'
import { usesOf } from './uses.ts'
import { openWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await openWorld()
}, 120_000)
afterAll(() => world.stop(), 60_000)

test('G3 after SIGKILL of broker and worker everything is still there, and what is due is revoked', async () => {
  const { stack } = world
  const uses = usesOf(stack.standins)
  const task = await world.openTask()
  const short = await Promise.all(
    ERRAND_NAMES.map(async (name) => {
      const wish = { ...ERRANDS[name], ttlSeconds: 4 }
      return { name, ...(await world.issue(task, wish)) }
    }),
  )
  const checkout = {
    template: 'github-checkout',
    actions: ['repo.read'],
    parameters: { repository: 'web' },
  }
  const long = await world.issue(task, checkout)

  stack.broker.kill('SIGKILL')
  for (const worker of stack.workers) worker.kill('SIGKILL')
  await Promise.all([stack.broker, ...stack.workers].map(({ ended }) => ended))
  await until(() => short.every(({ lease }) => Date.parse(lease.expiresAt) < Date.now()))
  // With nobody left to end them, GitHub's token and Vault's user outlive their leases …
  for (const { name, credential } of short.filter(({ name }) => name === 'github'))
    expect([name, await uses[name].allowed(credential)]).toEqual(['github', true])

  const { url } = await world.start('broker', { PORT: stack.url.port })
  expect(url.href).toBe(stack.url.href)
  // … and a restarted broker alone ends nothing.
  expect((await world.lease(short[0]?.lease.id ?? '')).state).toBe('active')
  await world.start('worker')
  for (const { name, lease, credential } of short) {
    expect(await world.settled(lease.id)).toMatchObject({ endReason: 'lease_ended' })
    expect([name, await uses[name].allowed(credential)]).toEqual([name, false])
  }

  // The task, its token, and the credential that is not due are none the worse for it.
  expect(await world.lease(long.lease.id)).toMatchObject({ state: 'active' })
  expect((await world.ask(task, ERRANDS.vault)).status).toBe(201)
  const closed = await world.call('POST', `/v1/tasks/${task.id}/close`, { token: task.token })
  expect(closed.status).toBe(200)
  await until(() => world.live() === 0)
}, 120_000)

test('G1 R89 a broker that dies while GitHub mints leaves a lease that says what may exist', async () => {
  const { url, process } = await world.start('broker', { PROVIDER_TIMEOUT_MS: '1000' })
  const { github } = world.stack.standins
  const task = await world.openTask()
  const before = github.issued().length
  github.faults.next({ kind: 'slow', milliseconds: 400 }, 'mint')
  const asked = github.requests().length
  const answer = world
    .call('POST', '/v1/leases', { token: task.token, body: ERRANDS.github, url })
    .catch(() => null)
  await until(() => github.requests().length > asked)
  process.kill('SIGKILL')
  expect(await answer).toBeNull()
  await until(() => github.issued().length > before)

  const [row] = await world.sql('SELECT id, state FROM leases WHERE task_id = $1', [task.id])
  expect(row).toMatchObject({ state: 'pending' })
  const lease = await world.settled(String(row?.['id']), ['revocation_failed'])
  expect(lease).toMatchObject({ endReason: 'mint_unconfirmed', revokedAt: null })
  const [token] = github.live()
  expect(lease.irrevocable).not.toBeNull()
  expect(Date.parse(lease.irrevocable?.diesAt ?? '')).toBeGreaterThanOrEqual(
    token?.expiresAt.getTime() ?? Infinity,
  )
}, 60_000)
