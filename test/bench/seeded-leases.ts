import { randomBytes } from 'node:crypto'

import { Secret } from '@mayfly/core'
import { makeSealer, parseSealingKeys } from '@mayfly/store'
import pg from 'pg'

import type { BenchWorld } from './bench-world.ts'

// Delivered, over, and due.
const INSERT = `
  INSERT INTO leases (id, task_id, agent, owner, environment, subject, provider, connection,
      template, template_version, policy_set_version, decision_id, actions, parameters, scope,
      targets, requested_ttl_seconds, state, created_at, expires_at, credential_expires_at,
      delivered_at, due_at, sealed_handle, handle_key_id, fingerprints)
    SELECT lease.id, task.id, task.agent, task.owner, task.environment, task.subject, 'github',
      'github-bench', 'github-bench', 1, 1, 'dec', '{repo.read}', '{"repository":"acme/web"}',
      '{"repositoryIds":[42],"permissions":{"contents":"read"}}',
      '{github:org:acme,github:repo:acme/web,github:permission:contents:read}', 600, 'active',
      now() - interval '10 minutes', now(), now() + interval '50 minutes',
      now() - interval '10 minutes', now(), lease.sealed, 'bench',
      ARRAY[encode(sha256(lease.id::bytea), 'base64')]
    FROM unnest($1::text[], $2::bytea[]) AS lease (id, sealed),
      (SELECT * FROM tasks LIMIT 1) AS task`

const BATCH = 5_000

/**
 * Leases that are due, as if minted: the provider knows their tokens, and the handles are sealed by
 * the product's own code. Minting so many through the API would take longer than revoking them.
 */
export async function seedDueLeases(world: BenchWorld, count: number): Promise<void> {
  await world.openTask()
  const sealer = makeSealer(parseSealingKeys(new Secret(world.sealingKeys)))
  const mintedAt = new Date().toISOString()
  const client = new pg.Client({ connectionString: world.databaseUrl })
  await client.connect()
  try {
    for (let from = 0; from < count; from += BATCH) {
      const size = Math.min(BATCH, count - from)
      const tokens = Array.from({ length: size }, () => `ghs_1_${randomBytes(24).toString('hex')}`)
      await fetch(new URL('/_live', world.github.url), {
        method: 'PUT',
        body: JSON.stringify(tokens),
      })
      const ids = tokens.map((_, index) => `lea_${String(from + index).padStart(26, '0')}`)
      // As the provider writes a handle and the store binds it: in any other form none would open.
      const sealed = ids.map((id, index) => {
        const handle = { token: tokens[index], apiUrl: world.github.url.href, mintedAt }
        return sealer.seal(new Secret(JSON.stringify(handle)), `lease-handle ${id} github`)
      })
      await client.query(INSERT, [ids, sealed.map(({ bytes }) => Buffer.from(bytes))])
    }
    await client.query('VACUUM ANALYZE leases')
  } finally {
    await client.end()
  }
}
