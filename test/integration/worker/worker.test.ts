import { once } from 'node:events'
import { spawn, type ChildProcess } from 'node:child_process'

import { Secret, type Lease } from '@mayfly/core'
import { makeRevocationQueue, type ConnectedRevocationQueue } from '@mayfly/queue'
import { startWorker } from '@mayfly/worker'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'

import { openGithub, scope, type GithubWorld } from '../../contract/github-fixture.ts'
import { begin, endAll } from '../../support/incident-fixtures.ts'
import { activationOf, leaseIntent, openTask } from '../../support/lease-fixtures.ts'
import { startStoreWorld, type StoreWorld } from '../../support/store-world.ts'
import { until } from '../../support/until.ts'

type Worker = Awaited<ReturnType<typeof startWorker>>

const NOBODY = 'redis://127.0.0.1:1'
const A_MINUTE_MS = 60_000

describe('the worker', () => {
  let world: StoreWorld
  let github: GithubWorld
  let queue: ConnectedRevocationQueue
  let worker: Worker | null

  beforeAll(async () => {
    github = await openGithub()
  })
  afterAll(async () => {
    await github.github.stop()
  })
  beforeEach(async () => {
    world = await startStoreWorld()
    queue = makeRevocationQueue({ databaseUrl: world.connectionString })
    await queue.waitUntilReady()
    await world.store.policySets.apply({
      documents: [connection()],
      digest: 'a'.repeat(64),
      appliedBy: 'test#operator',
    })
    worker = null
  })
  afterEach(async () => {
    await worker?.stop()
    await queue.close()
    await world.close()
  })

  function connection() {
    return {
      apiVersion: 'mayfly.dev/v1',
      kind: 'Connection',
      metadata: { name: 'github-acme', environment: 'development' },
      spec: {
        provider: 'github',
        settings: {
          apiUrl: github.github.url.href,
          appId: 7,
          privateKey: 'env:GITHUB_APP_KEY',
          installations: { acme: 101 },
        },
      },
    }
  }

  function start(more: { redisUrl?: string; sweepIntervalMs?: number } = {}): Promise<Worker> {
    return startWorker({
      databaseUrl: world.connectionString,
      redisUrl: undefined,
      sealingKeys: world.sealingKeys,
      concurrency: 4,
      sweepIntervalMs: 200,
      providerTimeoutMs: 5_000,
      attemptMs: 20_000,
      visibilitySeconds: 25,
      retryCapSeconds: 60,
      logLevel: 'silent',
      lagObjectiveSeconds: 60,
      health: { host: '127.0.0.1', port: 0 },
      env: { GITHUB_APP_KEY: github.privateKey },
      ...more,
    })
  }

  /** A delivered lease with a token that works, due when its delivery is not confirmed in time. */
  async function openLease(deliveryDeadlineSeconds: number): Promise<Lease & { token: string }> {
    const { tasks, leases } = world.store
    const lease = await leases.open(leaseIntent(await openTask(tasks)))
    const request = {
      leaseId: lease.id,
      taskId: lease.taskId,
      agent: lease.agent,
      owner: lease.owner,
      template: lease.template,
      ttlSeconds: 600,
      expiresAt: lease.expiresAt,
    }
    const minted = await github.provider.prepare(scope).mint(request, AbortSignal.timeout(5_000))
    const { credentialExpiresAt, handle } = minted
    const activation = { credentialExpiresAt, handle, deliveryDeadlineSeconds }
    const active = await leases.activate(activationOf(lease, activation))
    const { token } = minted.credential
    if (!(token instanceof Secret)) throw new TypeError('no token')
    return { ...active, token: token.reveal() }
  }

  const works = (token: string): boolean =>
    github.github.live().some((issued) => issued.token === token)

  async function stateOf(leaseId: string): Promise<string | undefined> {
    return (await world.store.leases.find(leaseId))?.state
  }

  test('R90 revokes what is due with no queue at all', async () => {
    const { id, token } = await openLease(1)
    expect(works(token)).toBe(true)
    worker = await start({ redisUrl: NOBODY })
    await until(async () => (await stateOf(id)) === 'revoked')
    expect(works(token)).toBe(false)
  })

  test('revokes on the alarm, long before the next sweep', async () => {
    worker = await start({ sweepIntervalMs: A_MINUTE_MS })
    const { id, token } = await openLease(1)
    await queue.schedule(id, new Date(Date.now() + 1_000))
    expect(await stateOf(id)).toBe('active')
    await until(async () => (await stateOf(id)) === 'revoked')
    expect(works(token)).toBe(false)
  })

  test('an alarm that rings before its lease is due kills nothing, and rings again', async () => {
    worker = await start({ sweepIntervalMs: A_MINUTE_MS })
    const { id, token } = await openLease(2)
    await queue.schedule(id, new Date())
    await until(async () => (await queue.depth()).delayed === 1)
    expect(works(token)).toBe(true)
    await until(async () => (await stateOf(id)) === 'revoked')
  })

  test('R92 a containment wakes it at once, long before the next sweep', async () => {
    const { id, agent, token } = await openLease(600)
    world.store.leases.delivered(id)
    worker = await start({ sweepIntervalMs: A_MINUTE_MS })
    // The first sweep is over, and the session that listens is there.
    await until(async () => {
      const [row] = await world.sql(
        `SELECT count(*)::int AS count FROM pg_stat_activity
          WHERE application_name = 'mayfly-due' AND datname = current_database()`,
      )
      return row?.['count'] === 1
    })
    const containment = await begin(world, { agent })
    await endAll(world, containment)
    await until(async () => (await stateOf(id)) === 'revoked', 10_000)
    expect(works(token)).toBe(false)
    expect(await world.store.containments.find(containment)).toMatchObject({ state: 'finished' })
  })

  test('R92 goes on with a containment that nobody else is ending', async () => {
    const { id, agent, token } = await openLease(600)
    await begin(world, { agent })
    expect((await world.store.leases.find(id))?.endedAt).toBeNull()
    worker = await start()
    await until(async () => (await stateOf(id)) === 'revoked')
    expect(works(token)).toBe(false)
  })

  test('R24 closes a task whose time is over, and ends its leases', async () => {
    const { id, taskId, token } = await openLease(600)
    world.store.leases.delivered(id)
    await world.sql(`UPDATE tasks SET not_after = now() - interval '1 second' WHERE id = $1`, [
      taskId,
    ])
    worker = await start()
    await until(async () => (await stateOf(id)) === 'revoked')
    expect(works(token)).toBe(false)
    expect((await world.store.tasks.find(taskId))?.closedAt).not.toBeNull()
  })

  test('R96 tells what it has done, and that it is ready', async () => {
    const { id } = await openLease(1)
    worker = await start()
    await until(async () => (await stateOf(id)) === 'revoked')
    const ready = await fetch(new URL('/readyz', worker.url))
    expect([ready.status, await ready.json()]).toEqual([
      200,
      { status: 'ready', checks: { database: 'ok', sweep: 'ok', lag: 'ok' } },
    ])
    const metrics = await (await fetch(new URL('/metrics', worker.url))).text()
    expect(metrics).toContain('mayfly_revocations_total{provider="github",outcome="revoked"} 1\n')
    expect(
      metrics.split('\n').filter((line) => /^mayfly_revocation_lag.*_count/.test(line)),
    ).toEqual(['mayfly_revocation_lag_seconds_count{provider="github",reason="undelivered"} 1'])
    expect(metrics).toContain('mayfly_overdue_leases 0\n')
  })

  test('as a process: starts from the environment, and ends cleanly when told to', async () => {
    const { id } = await openLease(1)
    const sealingKeys = world.sealingKeys.map((key) => `${key.id}:${key.key.reveal()}`)
    const child = spawnWorker({
      DATABASE_URL: world.connectionString,
      SEALING_KEYS: sealingKeys.join(','),
      GITHUB_APP_KEY: github.privateKey,
      SWEEP_INTERVAL_MS: '200',
      HEALTH_PORT: '0',
    })
    const output = collect(child)
    await until(() => output().includes('worker ready'))
    await until(async () => (await stateOf(id)) === 'revoked')
    child.kill('SIGTERM')
    expect(await once(child, 'exit')).toEqual([0, null])
    expect(output()).not.toContain(sealingKeys[0])
  })

  test('as a process: says what is wrong with its environment and gives up', async () => {
    const child = spawnWorker({ SEALING_KEYS: 'k1:hunter2' })
    const output = collect(child)
    expect(await once(child, 'exit')).toEqual([1, null])
    expect(output()).toMatch(/invalid configuration[^]*DATABASE_URL[^]*SEALING_KEYS/)
    expect(output()).not.toContain('hunter2')
  })
})

function spawnWorker(env: Record<string, string>): ChildProcess {
  const entry = new URL('../../../apps/worker/src/main.ts', import.meta.url).pathname
  const node = ['--conditions=@mayfly/source', '--import', 'tsx', entry]
  return spawn(process.execPath, node, {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

function collect(child: ChildProcess): () => string {
  const chunks: Buffer[] = []
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => chunks.push(chunk))
  }
  return () => Buffer.concat(chunks).toString()
}
