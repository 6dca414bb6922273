import { afterEach, describe, expect, test } from '@jest/globals'
import { ProblemError } from '@mayfly/protocol'

import { createDatabase, type TestDatabase } from '../../support/database.ts'
import { startSeverableProxy, type SeverableProxy } from '../../support/severable-proxy.ts'
import { until } from '../../support/until.ts'
import { LEASE, startRunningBroker, type RunningBroker } from './running-broker.ts'

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

/** No queue: what is looked at here must not depend on one. */
const NO_QUEUE = { REDIS_URL: 'redis://127.0.0.1:9' }

async function world(): Promise<{ running: RunningBroker; proxy: SeverableProxy }> {
  const database: TestDatabase = await createDatabase()
  cleanups.push(() => database.drop())
  const url = new URL(database.connectionString)
  const folder = url.searchParams.get('host')
  const port = url.port === '' ? 5432 : Number(url.port)
  const proxy = await startSeverableProxy(
    folder === null ? { host: url.hostname, port } : { path: `${folder}/.s.PGSQL.${String(port)}` },
  )
  cleanups.push(() => proxy.stop())
  url.searchParams.delete('host')
  url.hostname = '127.0.0.1'
  url.port = String(proxy.port)
  const running = await startRunningBroker({ DATABASE_URL: url.href, ...NO_QUEUE })
  cleanups.push(() => running.stop())
  return { running, proxy }
}

const codeOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'answered',
    (error: unknown) => (error instanceof ProblemError ? error.problem.code : error),
  )

describe('with the database down', () => {
  test('nothing is minted, the broker says so, and goes on when it is back', async () => {
    const { running, proxy } = await world()
    const { client, github } = running
    const { taskToken: token } = await running.openTask()

    await proxy.sever()
    const before = github.issued().length
    expect(await codeOf(client.openLease(LEASE, { token }))).toBe('database_unavailable')
    expect(await codeOf(running.openTask())).toBe('database_unavailable')
    expect(github.issued().length).toBe(before)
    expect(await client.readiness()).toMatchObject({
      status: 'not_ready',
      checks: { database: 'failing', policySet: 'ok' },
    })
    expect(await client.health()).toEqual({ status: 'ok' })

    await proxy.restore()
    await until(async () => (await client.readiness()).status === 'ready')
    expect(await codeOf(client.openLease(LEASE, { token }))).toBe('answered')
  })

  test('G1 a credential that could not be recorded is killed and not handed out', async () => {
    const { running, proxy } = await world()
    const { client, github } = running
    const { taskToken: token } = await running.openTask()
    github.faults.next({ kind: 'slow', milliseconds: 500 }, 'mint')
    const before = github.issued().length
    const call = codeOf(client.openLease(LEASE, { token }))
    await until(() => github.requests().some(({ path }) => path.endsWith('/access_tokens')))
    await proxy.sever()
    expect(await call).toBe('database_unavailable')
    expect(github.issued().length).toBe(before + 1)
    expect(github.live()).toEqual([])
  })
})

describe('with the queue down', () => {
  test('R90 minting and revoking go on', async () => {
    const { running } = await world()
    const { client } = running
    const { taskToken: token } = await running.openTask()
    const { lease } = await client.openLease(LEASE, { token })
    expect(lease.state).toBe('active')
    expect(await client.revokeLease(lease.id, { token })).toMatchObject({ state: 'revoked' })
    expect(await client.readiness()).toMatchObject({ status: 'ready' })
  })
})
