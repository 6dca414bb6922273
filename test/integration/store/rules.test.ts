import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Secret } from '@mayfly/core'
import { openStore } from '@mayfly/store'

import {
  activationOf,
  freshId,
  leaseIntent,
  openTask,
  sealingKey,
} from '../../support/lease-fixtures.ts'
import { startStoreWorld, type StoreWorld } from '../../support/store-world.ts'

let world: StoreWorld
beforeAll(async () => {
  world = await startStoreWorld()
})
afterAll(() => world.close())

describe('what the database itself refuses', () => {
  test.each([
    'DELETE FROM leases',
    'TRUNCATE leases CASCADE',
    'DELETE FROM audit_events',
    'TRUNCATE audit_events',
    `UPDATE audit_events SET type = 'nothing.happened'`,
    'DELETE FROM decisions',
    `UPDATE decisions SET allowed = true`,
    'DELETE FROM policy_sets',
  ])('%s', async (statement) => {
    await world.store.leases.open(leaseIntent(await openTask(world.store.tasks)))
    await expect(world.sql(statement)).rejects.toMatchObject({ code: '42501' })
  })

  test.each([
    ['a state that does not exist', `state = 'gone'`],
    ['a live lease that is never due', 'due_at = NULL'],
    ['a dead lease that is due', `state = 'expired'`],
    ['a revoked lease without proof', `state = 'revoked', due_at = NULL, revoked_at = now()`],
    ['an end without a reason', 'ended_at = now()'],
    ['a handle that nobody knows how to open', `sealed_handle = 'x'`],
  ])('%s', async (_what, change) => {
    const lease = await world.store.leases.open(leaseIntent(await openTask(world.store.tasks)))
    await expect(
      world.sql(`UPDATE leases SET ${change} WHERE id = $1`, [lease.id]),
    ).rejects.toMatchObject({ code: '23514' })
  })
})

describe('the audit log', () => {
  test('keeps events that have no effect of their own', async () => {
    await world.store.audit.record({
      type: 'authentication.refused',
      subject: 'github-actions#repo:acme/web',
      data: { reason: 'expired' },
    })
    expect(
      await world.sql(`SELECT type, subject, agent, data FROM audit_events
        WHERE type = 'authentication.refused'`),
    ).toEqual([
      {
        type: 'authentication.refused',
        subject: 'github-actions#repo:acme/web',
        agent: null,
        data: { reason: 'expired' },
      },
    ])
  })

  test('keeps a denial together with its decision', async () => {
    const task = await openTask(world.store.tasks)
    const explanation = { code: 'denied', message: 'no', rule: 'own-repo', nearest: null } as const
    const { id, taskId, template, policySetVersion, policyDigest, actions } =
      leaseIntent(task).decision
    await world.store.audit.refuse(
      {
        id,
        taskId,
        template,
        templateVersion: null,
        policySetVersion,
        policyDigest,
        actions,
        parameters: { repository: 'acme/payments' },
        allowed: false,
        explanation,
      },
      task,
    )
    expect(
      await world.sql('SELECT allowed, explanation FROM decisions WHERE id = $1', [id]),
    ).toEqual([{ allowed: false, explanation }])
    expect(
      await world.sql('SELECT type, data FROM audit_events WHERE decision_id = $1', [id]),
    ).toEqual([
      {
        type: 'decision.denied',
        data: { template, actions, parameters: { repository: 'acme/payments' }, explanation },
      },
    ])
  })
})

test('G6 R66 no row of any table holds a handle or a key that can be read', async () => {
  const canary = freshId('canary')
  const { leases, tasks, signingKeys } = world.store
  const lease = await leases.open(
    leaseIntent(await openTask(tasks), { handle: new Secret(`${canary} before`) }),
  )
  await leases.activate(activationOf(lease, { handle: new Secret(`${canary} after`) }))
  await leases.surrender(activationOf(lease, { handle: new Secret(`${canary} late`) }), 'overbroad')
  await signingKeys.add({ kid: 'k', privateJwk: new Secret(`{"d":"${canary}"}`) })
  expect(await holding(lease.id)).toContain('leases')

  const encodings = ['utf8', 'hex', 'base64'] as const
  for (const encoding of encodings) {
    const text = Buffer.from(canary).toString(encoding)
    // Base64 of the text in the middle of something else ends in other letters.
    expect(await holding(encoding === 'base64' ? text.slice(0, -4) : text)).toEqual([])
  }
})

/** Tables with the text in some row, whatever the column. */
async function holding(text: string): Promise<readonly unknown[]> {
  const tables = await world.sql(
    `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'`,
  )
  const found = await Promise.all(
    tables.map(async ({ name }) => {
      const query = `SELECT 1 FROM ${String(name)} t WHERE strpos(t::text, $1) > 0 LIMIT 1`
      return (await world.sql(query, [text])).length > 0 ? [name] : []
    }),
  )
  return found.flat()
}

describe('a database that is not there', () => {
  const elsewhere = {
    connectionString: 'postgresql://127.0.0.1:1/mayfly',
    sealingKeys: [sealingKey()],
  }

  test('is a failure that may pass, whichever way it is asked', async () => {
    const store = openStore(elsewhere)
    const task = await openTask(world.store.tasks)
    const unavailable = { code: 'database_unavailable', retryable: true }
    await expect(store.ping()).rejects.toMatchObject(unavailable)
    await expect(store.leases.open(leaseIntent(task))).rejects.toMatchObject(unavailable)
    await expect(store.leases.find('lea_1')).rejects.toMatchObject(unavailable)
    await expect(openTask(store.tasks)).rejects.toMatchObject(unavailable)
    await expect(
      store.deniedSessions.underRoleLock('role', () => Promise.resolve()),
    ).rejects.toMatchObject(unavailable)
    await expect(store.policySets.subscribe(() => undefined)).rejects.toMatchObject(unavailable)
    await store.close()
  })

  test('loses deliveries only, which is reported', async () => {
    const reports: string[] = []
    const report = (message: string): void => void reports.push(message)
    const store = openStore({ ...elsewhere, report })
    store.leases.delivered('lea_1')
    await store.close()
    expect(reports).toEqual(['deliveries could not be stored; their leases will be revoked'])
  })

  test('one that comes back is used again', async () => {
    const store = world.another()
    await store.ping()
    await world.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE application_name = 'mayfly' AND datname = current_database()`)
    const deadline = Date.now() + 5_000
    let answer = await store.ping().catch((error: unknown) => error)
    while (answer !== undefined && Date.now() < deadline)
      answer = await store.ping().catch((error: unknown) => error)
    expect(answer).toBeUndefined()
  })
})
