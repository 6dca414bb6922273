import { afterAll, beforeAll, expect, test } from '@jest/globals'

import { openTask } from '../../support/lease-fixtures.ts'
import { startStoreWorld, type StoreWorld } from '../../support/store-world.ts'

// Few live leases among many that are dead, as after some months.
let world: StoreWorld
beforeAll(async () => {
  world = await startStoreWorld()
  const { id } = await openTask(world.store.tasks)
  await fill(id, 30_000, 'revoked')
  await fill(id, 2_000, 'active')
  await world.sql('VACUUM ANALYZE leases')
}, 60_000)
afterAll(() => world.close())

async function fill(taskId: string, count: number, state: string): Promise<void> {
  const dead = state === 'revoked'
  await world.sql(
    `INSERT INTO leases (id, task_id, agent, owner, environment, subject, provider, connection,
        template, template_version, policy_set_version, decision_id, actions, parameters, scope,
        targets, requested_ttl_seconds, state, expires_at, credential_expires_at, ended_at,
        end_reason, revoked_at, revocation_proof, due_at)
      SELECT 'lea_' || $2 || n, $1, 'a', 'o', 'development', 'ci#s', 'github', 'c', 't', 1, 1, 'dec',
        '{a}', '{}', '{}', ARRAY['github:org:acme', 'github:repo:acme/r' || n % 500], 600, $2,
        now() + interval '1 h', now() + interval '1 h', CASE WHEN $3 THEN now() END,
        CASE WHEN $3 THEN 'holder' END, CASE WHEN $3 THEN now() END, CASE WHEN $3 THEN 'gone' END,
        CASE WHEN NOT $3 THEN now() + interval '1 h' END
      FROM generate_series(1, $4::int) n`,
    [taskId, state, dead, count],
  )
}

async function planOf(sql: string): Promise<string> {
  const rows = await world.sql(`EXPLAIN ${sql}`)
  return rows.map((row) => String(row['QUERY PLAN'])).join('\n')
}

test('what can reach a target now is read from the index of live targets', async () => {
  const plan = await planOf(
    `SELECT id FROM leases WHERE targets @> ARRAY['github:repo:acme/r7']
      AND state IN ('pending', 'active', 'revoking', 'revocation_failed')
      AND credential_expires_at > now() ORDER BY id DESC LIMIT 100`,
  )
  expect(plan).toContain('leases_targets_idx')
  expect(plan).not.toContain('Seq Scan')
})

test.each([
  ['{"repository": "acme/r7"}', /leases_targets_idx|leases_due_at_idx/],
  ['{"agent": "a", "provider": "github"}', /leases_due_at_idx/],
  ['{"everything": true}', /leases_due_at_idx/],
  ['{"permission": "contents:write"}', /leases_targets_idx|leases_due_at_idx/],
  ['{"permission": "s3:putobject"}', /leases_due_at_idx/],
])('the selector %s never reads what is dead', async (selector, index) => {
  const plan = await planOf(
    `SELECT id FROM leases WHERE due_at IS NOT NULL
      AND selector_matches('${selector}'::jsonb, leases)`,
  )
  expect(plan).toMatch(index)
  expect(plan).not.toContain('Seq Scan')
  // Put in place of the call, and with all that the selector does not ask for left out.
  expect(plan).not.toContain('selector_matches')
  expect(plan).not.toContain('vault')
})

test.each([
  [{ repository: 'acme/r7' }, 4],
  [{ agent: 'a', organisation: 'acme' }, 50],
  [{ agent: 'nobody' }, 0],
])('what is live and matches %j is listed, the newest first', async (selector, count) => {
  const listed = await world.store.leases.list({ live: true, selector, limit: 50 })
  const ids = listed.map(({ id }) => id)
  expect(ids).toHaveLength(count)
  expect(ids).toEqual(ids.toSorted().toReversed())
  expect(listed.every(({ state }) => state === 'active')).toBe(true)
})

// An agent of few leases: walking the primary key until they turn up would read all of the table.
test('a list of live leases by selector never walks through the dead ones', async () => {
  const plan = await planOf(
    `WITH matching AS MATERIALIZED (
        SELECT id FROM leases WHERE due_at IS NOT NULL
          AND (state IN ('pending', 'active', 'revoking', 'revocation_failed')
            AND credential_expires_at > now())
          AND selector_matches('{"agent": "nobody"}'::jsonb, leases))
      SELECT id FROM leases WHERE id IN (SELECT id FROM matching ORDER BY id DESC LIMIT 100)
        ORDER BY id DESC`,
  )
  expect(plan).not.toContain('Seq Scan')
  expect(plan).not.toContain('Scan Backward')
})
