import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { ProblemError, type Problem } from '@mayfly/protocol'

import { createDatabase, type TestDatabase } from '../../support/database.ts'
import { until } from '../../support/until.ts'
import { LEASE, startRunningBroker, type RunningBroker } from './running-broker.ts'

let database: TestDatabase
let running: RunningBroker
beforeAll(async () => {
  database = await createDatabase()
  running = await startRunningBroker({ DATABASE_URL: database.connectionString })
})
afterAll(async () => {
  await running.stop()
  await database.drop()
})

async function problemOf(call: Promise<unknown>): Promise<Problem> {
  try {
    await call
  } catch (error) {
    if (error instanceof ProblemError) return error.problem
    throw error
  }
  throw new Error('nothing was refused')
}

const worksAtGithub = async (token: string): Promise<boolean> => {
  const response = await fetch(new URL('/installation/repositories', running.github.url), {
    headers: { authorization: `Bearer ${token}`, connection: 'close' },
  })
  await response.arrayBuffer()
  return response.status === 200
}

describe('a broker', () => {
  test('is ready once its first policies are in force', async () => {
    expect(await running.client.readiness()).toEqual({
      status: 'ready',
      checks: { database: 'ok', policySet: 'ok' },
    })
  })

  test('hands out a credential that works, and proves it dead when its holder is done', async () => {
    const { client } = running
    const { task, taskToken } = await running.openTask()
    expect(task).toMatchObject({ agent: 'web-ci', environment: 'development', closedAt: null })

    const { lease, credential } = await client.openLease(LEASE, { token: taskToken })
    const token = credential['token']?.reveal() ?? ''
    expect(lease).toMatchObject({
      taskId: task.id,
      state: 'active',
      targets: expect.arrayContaining(['github:repo-id:4201']) as unknown,
    })
    expect(await worksAtGithub(token)).toBe(true)
    await until(async () => {
      const { deliveredAt } = await client.getLease(lease.id, { token: taskToken })
      return deliveredAt !== null
    })

    const revoked = await client.revokeLease(lease.id, { token: taskToken })
    expect(revoked).toMatchObject({ state: 'revoked', endReason: 'holder', revocationAttempts: 1 })
    expect(revoked.revocationProof).not.toBeNull()
    expect(revoked.revocationLagMilliseconds).toBeGreaterThanOrEqual(0)
    expect(await worksAtGithub(token)).toBe(false)
  })

  test('R8 a workload token opens one task, and a fresh one goes on with it', async () => {
    const { client } = running
    const token = await running.workloadToken()
    const request = { intent: { reason: 'x' }, declarations: [LEASE] }
    const { task } = await client.openTask(request, { token })
    expect(await problemOf(client.openTask(request, { token }))).toMatchObject({
      code: 'token_replayed',
    })
    const fresh = await running.workloadToken()
    const renewed = await client.renewTask(task.id, { token: fresh })
    expect(renewed.task.id).toBe(task.id)
    expect(await client.getTask(task.id, { token: renewed.taskToken })).toMatchObject({
      id: task.id,
    })
  })

  test('R26 the same idempotency key opens one task and never gives a credential twice', async () => {
    const { client } = running
    const token = await running.workloadToken()
    const request = { intent: { reason: 'x' }, declarations: [LEASE] }
    const first = await client.openTask(request, { token, idempotencyKey: 'k' })
    const again = await client.openTask(request, { token, idempotencyKey: 'k' })
    expect(again.task.id).toBe(first.task.id)

    const call = { token: first.taskToken, idempotencyKey: 'lease' }
    await client.openLease(LEASE, call)
    expect(await problemOf(client.openLease(LEASE, call))).toMatchObject({
      code: 'credential_already_delivered',
    })
    expect(await problemOf(client.openLease({ ...LEASE, ttlSeconds: 60 }, call))).toMatchObject({
      code: 'idempotency_conflict',
    })
  })

  test('explains a denial, and refuses what is unknown, undeclared or too long', async () => {
    const { client } = running
    const { taskToken: token } = await running.openTask()
    const refused = async (changes: object): Promise<Problem> =>
      problemOf(client.openLease({ ...LEASE, ...changes }, { token }))

    const foreign = await refused({ parameters: { repository: 'acme/payments' } })
    expect(foreign).toMatchObject({ status: 403, explanation: { code: 'not_declared' } })
    expect(await refused({ template: 'nothing' })).toMatchObject({ code: 'scope_template_unknown' })
    expect(await refused({ actions: ['infra.change'] })).toMatchObject({ code: 'action_unknown' })
    expect(await refused({ parameters: { repo: 'x' } })).toMatchObject({
      code: 'parameter_invalid',
    })
    expect(await refused({ ttlSeconds: 0 })).toMatchObject({ code: 'ttl_invalid' })
    expect(await refused({ ttlSeconds: -5 })).toMatchObject({ code: 'ttl_invalid' })
    expect(await refused({ ttlSeconds: 86_400 })).toMatchObject({ code: 'ttl_too_long' })
    const unknown = { ...LEASE, template: 'nothing' }
    const request = { intent: { reason: 'x' }, declarations: [unknown], ttlSeconds: 60 }
    const workload = await running.workloadToken()
    expect(await problemOf(client.openTask(request, { token: workload }))).toMatchObject({
      code: 'scope_template_unknown',
    })
    expect(
      await problemOf(
        client.openTask({ ...request, declarations: [LEASE], ttlSeconds: 0 }, { token: workload }),
      ),
    ).toMatchObject({ code: 'ttl_invalid' })
  })

  test('R24 closing a task ends its leases, and issues no more', async () => {
    const { client } = running
    const { task, taskToken: token } = await running.openTask()
    const { lease } = await client.openLease(LEASE, { token })
    const closed = await client.closeTask(task.id, { token })
    expect(closed.leaseIds).toEqual([lease.id])
    expect(closed.task.closedAt).not.toBeNull()
    expect(await problemOf(client.openLease(LEASE, { token }))).toMatchObject({
      status: 409,
      code: 'task_closed',
    })
    expect(await client.getLease(lease.id, { token })).toMatchObject({ endReason: 'task_closed' })
  })

  test('R13 operators see every lease and agents cannot act as operators', async () => {
    const { client } = running
    const { task, taskToken } = await running.openTask()
    const { lease } = await client.openLease(LEASE, { token: taskToken })
    const responder = await running.operatorToken('responder@acme.example')
    for (const reach of [
      { target: 'github:repo-id:4201' },
      { repository: 'Acme/Web' },
      { permission: 'contents:read', organisation: 'acme', provider: 'github' },
    ] as const) {
      const query = { live: true, taskId: task.id, ...reach }
      const { leases, truncated } = await client.listLeases(query, { token: responder })
      expect([reach, leases.map(({ id }) => id), truncated]).toEqual([reach, [lease.id], false])
    }
    const elsewhere = { live: true, repository: 'acme/payments' }
    expect(await client.listLeases(elsewhere, { token: responder })).toEqual({
      leases: [],
      truncated: false,
    })
    expect(await client.revokeLease(lease.id, { token: responder })).toMatchObject({
      state: 'revoked',
      endReason: 'operator',
    })
    const workload = await running.workloadToken()
    expect(await problemOf(client.listLeases({}, { token: workload }))).toMatchObject({
      code: 'unauthenticated',
    })
    expect(
      await problemOf(
        client.openTask({ intent: { reason: 'x' }, declarations: [LEASE] }, { token: responder }),
      ),
    ).toMatchObject({ code: 'unauthenticated' })
  })

  test('R115 a repository that is not registered is denied like any other', async () => {
    const token = await running.oidc
      .named('github-actions')
      .issue(
        { sub: 'repo:evil/web', aud: 'mayfly', repository: 'evil/web', repository_id: '9' },
        { algorithm: 'RS256' },
      )
    const response = await fetch(new URL('/v1/tasks', running.broker.url), {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ intent: { reason: 'x' }, declarations: [LEASE] }),
    })
    expect(await response.json()).toMatchObject({ status: 403, code: 'denied' })
  })

  test('a caller who hangs up during the mint leaves no working credential', async () => {
    const { client, github } = running
    const { task, taskToken: token } = await running.openTask()
    const before = github.issued().length
    github.faults.next({ kind: 'slow', milliseconds: 300 }, 'mint')
    const hangUp = new AbortController()
    const call = client.openLease(LEASE, { token, signal: hangUp.signal })
    const failed = call.catch((error: unknown) => error)
    const leases = async (): Promise<readonly { state: string; endReason: string | null }[]> =>
      (await client.listLeases({ taskId: task.id }, { token })).leases
    await until(async () => (await leases()).length === 1)
    hangUp.abort()
    expect(await failed).toMatchObject({ name: 'AbortError' })
    await until(async () => (await leases())[0]?.state === 'revoked')
    expect(github.issued().length).toBe(before + 1)
    expect(github.issued().at(-1)?.revokedAt).not.toBeNull()
  })

  test('publishes the keys of its task tokens, and counts what it did', async () => {
    const get = async (path: string): Promise<string> =>
      (await fetch(new URL(path, running.broker.url))).text()
    const keys = JSON.parse(await get('/.well-known/jwks.json')) as { keys: object[] }
    expect(keys.keys[0]).toMatchObject({ kty: 'EC', use: 'sig' })
    expect(keys.keys[0]).not.toHaveProperty('d')
    const metrics = await get('/metrics')
    expect(metrics).toMatch(
      /mayfly_decisions_total\{template="github-feature-branch",code="allowed"\} \d+/,
    )
    expect(metrics).toContain('mayfly_mint_stage_seconds_count{stage="provider"}')
    expect(metrics).toMatch(/template="unknown",code="scope_template_unknown"/)
  })
})
