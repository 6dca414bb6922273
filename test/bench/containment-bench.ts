import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import {
  makeContain,
  makeEndContained,
  makeResumeContainments,
  makeRevokeClaimed,
  makeSweep,
  Secret,
  type CredentialProvider,
  type Sweep,
} from '@mayfly/core'
import { startEmbeddedPostgres } from '@mayfly/sandbox'
import { applyMigrations, openStore, type Store } from '@mayfly/store'
import pg from 'pg'

import { freshId, openTask, sealingKey } from '../support/lease-fixtures.ts'

// How long a freeze takes and how fast a containment kills, on a database that holds a million ended
// leases, with providers in this process that answer at once.
const [live = 10_000, ended = 1_000_000] = process.argv.slice(2).map(Number)

const directory = mkdtempSync(join(tmpdir(), 'mayfly-containment-'))
const postgres = await startEmbeddedPostgres({ dataDirectory: join(directory, 'postgres') })
const connectionString = postgres.connectionString()
await applyMigrations(connectionString)
const client = new pg.Client({ connectionString })
await client.connect()
const key = sealingKey()
const store = openStore({ connectionString, sealingKeys: [key], maxConnections: 10 })

try {
  await fill(store)
  await measure('preview', () => store.containments.preview({ organisation: 'acme' }, 10_000))
  await reach(store)
  await contain(store)
  await sweepAlone(store)
} finally {
  await store.close()
  await client.end()
  await postgres.stop()
  rmSync(directory, { recursive: true, force: true })
}

async function fill({ tasks }: Store): Promise<void> {
  const { id } = await openTask(tasks)
  await measure(`${String(ended)} ended leases`, () => insert(id, ended, 'revoked'))
  await addLive(id)
}

async function addLive(taskId: string): Promise<void> {
  await measure(`${String(live)} live leases`, () => insert(taskId, live, 'active'))
  await client.query('VACUUM ANALYZE leases')
}

async function insert(taskId: string, count: number, state: string): Promise<void> {
  const dead = state === 'revoked'
  await client.query(
    `INSERT INTO leases (id, task_id, agent, owner, environment, subject, provider, connection,
        template, template_version, policy_set_version, decision_id, actions, parameters, scope,
        targets, requested_ttl_seconds, state, created_at, expires_at, credential_expires_at,
        delivered_at, ended_at, end_reason, revoked_at, revocation_proof, due_at)
      SELECT $4 || n, $1, 'agent' || n % 50, 'owner', 'development', 'ci#s', p, p, 'template', 1, 1,
        'dec', '{a}', '{}', '{}', ARRAY[p || ':org:acme', 'github:org:acme',
        'github:repo:acme/r' || n % 1000, 'resource:repo:acme/r' || n % 1000], 600, $2, now(),
        now() + interval '1 h', now() + interval '1 h', now(),
        CASE WHEN $3 THEN now() END, CASE WHEN $3 THEN 'holder' END, CASE WHEN $3 THEN now() END,
        CASE WHEN $3 THEN 'gone' END, CASE WHEN NOT $3 THEN now() + interval '1 h' END
      FROM generate_series(1, $5::int) n,
        LATERAL (SELECT (ARRAY['github', 'aws', 'vault'])[1 + n % 3] AS p) x`,
    [taskId, state, dead, `${freshId('lea')}x`, count],
  )
}

/** "What can still reach this repository?", in both forms. */
async function reach({ leases, containments }: Store): Promise<void> {
  const forms = {
    'by target': (n: number) =>
      leases.list({ live: true, target: `github:repo:acme/r${String(n)}`, limit: 100 }),
    'by selector': (n: number) => containments.preview({ repository: `acme/r${String(n)}` }, 100),
  }
  for (const [name, ask] of Object.entries(forms)) {
    const times: number[] = []
    for (let n = 0; n < 500; n += 1) {
      const startedAt = performance.now()
      await ask(n)
      times.push(performance.now() - startedAt)
    }
    times.sort((one, other) => one - other)
    console.log(
      `what can reach a repository, ${name}: p50 ${(times[250] ?? 0).toFixed(1)} ms, p99 ${(times[495] ?? 0).toFixed(1)} ms`,
    )
  }
}

async function contain({ containments, freezes }: Store): Promise<void> {
  const end = makeEndContained({ containments, batchSize: 500 })
  const parts = { containments, newId: freshId, report: complain, batchSize: 500 }
  let began = 0
  const begin: typeof containments.begin = async (asked) => {
    const startedAt = performance.now()
    const answer = await containments.begin(asked)
    began = performance.now() - startedAt
    return answer
  }
  const startedAt = performance.now()
  const { containment } = await makeContain(
    { ...parts, containments: { ...containments, begin } },
    () => Promise.resolve(0),
  )({
    selector: { organisation: 'acme' },
    reason: 'bench',
    incident: 'INC-1',
    by: 'people#bench',
    freezeUntil: null,
    idempotency: null,
  })
  say('freeze', began)
  say('answer (freeze, collection, counts)', performance.now() - startedAt)
  await measure('ended', () => end(containment.id))
  const { sweep, revoked } = sweeper(store)
  const sweptAt = performance.now()
  await until(sweep)
  const seconds = (performance.now() - startedAt) / 1000
  say(`revoked ${String(revoked())}`, performance.now() - sweptAt)
  console.log(`  ${(containment.total / seconds).toFixed(0)} leases/s, the whole containment`)
  await measure('where it stands', () => containments.find(containment.id))
  await freezes.lift(containment.freezeId, { by: 'bench', reason: 'over' })
}

async function sweepAlone({ tasks }: Store): Promise<void> {
  const { id } = await openTask(tasks)
  await addLive(id)
  await client.query(`UPDATE leases SET due_at = now() WHERE due_at IS NOT NULL`)
  const { sweep, revoked, slowest } = sweeper(store)
  const startedAt = performance.now()
  await until(sweep)
  const tookMs = performance.now() - startedAt
  say(`sweeper alone, ${String(revoked())} leases`, tookMs)
  console.log(`  ${(revoked() / (tookMs / 1000)).toFixed(0)} leases/s`)
  say('slowest claim of a batch', slowest())
}

function sweeper({ leases, tasks, containments }: Store) {
  let revoked = 0
  let slowest = 0
  const provider: CredentialProvider = {
    name: 'github',
    prepare: () => {
      throw new Error('nothing is minted here')
    },
    revoke: () => Promise.resolve(),
    verifyDead: () => Promise.resolve({ dead: true, proof: 'gone' }),
  }
  const revoke = makeRevokeClaimed({
    leases,
    providers: { get: () => Promise.resolve(provider) },
    clock: { now: () => new Date() },
    retry: { baseSeconds: 1, capSeconds: 60, random: Math.random },
  })
  const end = makeEndContained({ containments, batchSize: 500 })
  const sweep = makeSweep({
    leases: {
      async claimMany(claim) {
        const startedAt = performance.now()
        const batch = await leases.claimMany(claim)
        slowest = Math.max(slowest, performance.now() - startedAt)
        return batch
      },
    },
    tasks,
    closeTask: () => Promise.reject(new Error('no task is overdue')),
    resumeContainments: makeResumeContainments({ containments, report: complain }, end),
    async revoke(claimed, signal) {
      const outcome = await revoke({ ...claimed, handle: new Secret('handle') }, signal)
      if (outcome.outcome === 'revoked') revoked += 1
      return outcome
    },
    batchSize: 128,
    concurrency: 16,
    visibilitySeconds: 60,
    patience: () => new Promise(() => undefined),
    report: complain,
  })
  return { sweep, revoked: () => revoked, slowest: () => slowest }
}

async function until(sweep: Sweep): Promise<void> {
  const { signal } = new AbortController()
  while ((await sweep(signal)).more);
}

async function measure<Result>(what: string, work: () => Promise<Result>): Promise<Result> {
  const startedAt = performance.now()
  const result = await work()
  say(what, performance.now() - startedAt)
  return result
}

function say(what: string, milliseconds: number): void {
  console.log(`${what}: ${milliseconds.toFixed(1)} ms`)
}

function complain(message: string, error: unknown): void {
  console.error(message, error)
}
