import pg from 'pg'

/** How many repositories the ended leases were for. */
export const REPOSITORIES = 1_000

// As an ended lease is left: its targets, a fingerprint, a proof, and no handle. One in five hundred is
// still live, so that the live ones lie scattered over the table.
const INSERT = `
  INSERT INTO leases (id, task_id, agent, owner, environment, subject, provider, connection,
      template, template_version, policy_set_version, decision_id, actions, parameters, scope,
      targets, requested_ttl_seconds, state, created_at, expires_at, credential_expires_at,
      delivered_at, ended_at, end_reason, revoked_at, revocation_proof, revocation_attempts, due_at,
      fingerprints)
    SELECT 'lea_00' || lpad(n::text, 24, '0'), $1, 'agent' || n % 50, 'owner', 'development', 'ci#s',
      'github', 'github-bench', 'template', 1, 1, 'dec', '{repo.read}', '{}',
      '{"repositoryIds":[42],"permissions":{"contents":"read"}}',
      ARRAY['github:org:old', 'github:repo:old/r' || n % $4::int, 'github:permission:contents:read',
        'resource:repo:old/r' || n % $4::int], 600,
      CASE WHEN live THEN 'active' ELSE 'revoked' END, at, at + interval '2 hours',
      at + interval '2 hours', at,
      CASE WHEN NOT live THEN at END, CASE WHEN NOT live THEN 'holder' END,
      CASE WHEN NOT live THEN at END, CASE WHEN NOT live THEN 'the token is refused' END,
      (NOT live)::int, CASE WHEN live THEN at + interval '2 hours' END,
      ARRAY[encode(sha256(n::text::bytea), 'base64')]
    FROM generate_series($2::int, $3::int) n,
      LATERAL (SELECT n % 499 = 0 AS live, now() - interval '1 hour' + n * interval '1 ms' AS at) x`

const BATCH = 50_000

/** Fills the table with leases of the past, in the order of their ids, as the broker would have. */
export async function insertEndedLeases(connectionString: string, count: number): Promise<void> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  try {
    const { rows } = await client.query<{ id: string }>('SELECT id FROM tasks LIMIT 1')
    const [task] = rows
    if (!task) throw new Error('there is no task for the leases to belong to')
    for (let from = 1; from <= count; from += BATCH) {
      const to = Math.min(from + BATCH - 1, count)
      await client.query(INSERT, [task.id, from, to, REPOSITORIES])
    }
    await client.query('VACUUM ANALYZE leases')
  } finally {
    await client.end()
  }
}
