import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Redis } from 'ioredis'

import { redisVersion, startRedis, type RedisServer } from '../support/redis-server.ts'
import { until } from '../support/until.ts'
import { ERRAND_NAMES, ERRANDS } from './errands.ts'
import { findSecrets, type KnownSecret, type Sink } from './find-secrets.ts'
import { openWorld, type World } from './world.ts'

/** Parts of credentials that are there to be seen. */
const PUBLIC_PARTS = ['username', 'address', 'accessKeyId', 'region', 'expiration']

let redis: RedisServer | null = null
let world: World
const secrets: KnownSecret[] = []
/** What came back where a secret is delivered; everything else must not have it. */
const deliveries = new Set<string>()

beforeAll(async () => {
  redis = redisVersion() === null ? null : await startRedis()
  world = await openWorld({
    ...(redis ? { redisUrl: redis.url } : {}),
    environment: { LOG_LEVEL: 'debug', PROVIDER_TIMEOUT_MS: '1000' },
  })
  await driveEverything()
}, 180_000)
afterAll(async () => {
  await world.stop()
  await redis?.stop()
}, 60_000)

function know(name: string, value: string): string {
  if (value.length < 12) throw new Error(`${name} is too short to be looked for`)
  secrets.push({ name, value })
  return value
}

function knowRoots(): void {
  const file = join(dirname(world.stack.logs.broker), 'secrets.json')
  const roots = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown> // ours
  for (const [name, value] of Object.entries(roots)) {
    if (typeof value !== 'string') continue
    // What makes a PEM or a sealing key secret is its body.
    const body = value.replace(/^sandbox:/, '').replace(/-----[^-]+-----/g, '')
    for (const line of body.split('\n').filter((part) => part.length > 20)) know(name, line)
    know(`${name}, whole`, value)
  }
}

/** Every path that a secret takes: issued, used twice, denied, refused, lost, renewed, revoked. */
async function driveEverything(): Promise<void> {
  const { tokens, standins } = world.stack
  knowRoots()
  const workload = know('workload token', await tokens.githubActions('payments'))
  const task = await world.openTask({ workload })
  deliveries.add(task.token)
  know('task token', task.token)
  for (const name of ERRAND_NAMES) {
    const headers = { 'idempotency-key': `key-of-${name}` }
    const answer = await world.ask(task, { ...ERRANDS[name], ttlSeconds: 60 }, headers)
    expect(answer.status).toBe(201)
    const credential = answer.json['credential'] as Record<string, string> // the contract of 201
    for (const [part, value] of Object.entries(credential))
      if (!PUBLIC_PARTS.includes(part)) {
        know(`${name} ${part}`, value)
        deliveries.add(value)
      }
    await world.ask(task, { ...ERRANDS[name], ttlSeconds: 60 }, headers)
  }
  await askThroughPostgres()
  standins.github.faults.next({ kind: 'lost' }, 'mint')
  await world.ask(task, ERRANDS.github)
  standins.github.faults.next({ kind: 'wider', permissions: { issues: 'write' } }, 'mint')
  await world.ask(task, ERRANDS.github)
  standins.github.faults.next({ kind: 'truncated', characters: 300 }, 'mint')
  await world.ask(task, ERRANDS.github)
  for (const { token } of standins.github.issued()) know('GitHub token', token)

  const fresh = know('second workload token', await tokens.githubActions('payments'))
  const renewed = await world.call('POST', `/v1/tasks/${task.id}/token`, { token: fresh })
  deliveries.add(know('renewed task token', String(renewed.json['taskToken'])))
  const replayed = await world.call('POST', '/v1/tasks', {
    token: fresh,
    body: { intent: { reason: 'again' }, declarations: [ERRANDS.vault] },
  })
  expect(replayed.status).toBe(401)
  const person = know('operator token', await tokens.person('auditor'))
  await world.call('POST', '/v1/policy-sets', { token: person, body: { resources: [] } })
  await world.call('GET', '/v1/leases', { token: person })
  await world.call('GET', `/v1/leases/${secrets.at(-1)?.value ?? ''}`, { token: task.token })
  await world.ask(task, { ...ERRANDS.vault, parameters: { team: 'web', secret: 'app' } })
  await world.call('DELETE', `/v1/tasks/${task.id}/close`, { token: task.token })
  await world.call('POST', `/v1/tasks/${task.id}/close`, { token: task.token })
  await until(async () => {
    const open = await world.sql("SELECT 1 FROM leases WHERE state IN ('active', 'revoking')")
    return open.length === 0
  })
}

/** A broker whose alarms are in PostgreSQL, so that both kinds of queue are looked at. */
async function askThroughPostgres(): Promise<void> {
  const { url } = await world.start('broker', { REDIS_URL: '' })
  const task = await world.openTask()
  deliveries.add(know('task token of the other broker', task.token))
  const body = { ...ERRANDS.vault, ttlSeconds: 2 }
  const answer = await world.call('POST', '/v1/leases', { token: task.token, body, url })
  const { token = '' } = answer.json['credential'] as Record<string, string> // the contract of 201
  deliveries.add(know('vault token of the other broker', token))
}

/** Every column of every table, of whichever schema: also those that nobody thought of. */
async function tables(): Promise<readonly Sink[]> {
  const names = await world.sql(`
    SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
      WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`)
  return Promise.all(
    names.map(async ({ name }) => {
      const rows = await world.sql(`SELECT to_jsonb(t)::text AS row FROM ${String(name)} t`)
      return { name: `table ${String(name)}`, text: rows.map(({ row }) => String(row)).join('\n') }
    }),
  )
}

async function redisKeys(): Promise<readonly Sink[]> {
  if (!redis) return []
  const client = new Redis(redis.url)
  try {
    const keys = await client.keys('*')
    const dumps = await Promise.all(
      keys.map(async (key) => ({ name: `Redis ${key}`, text: await redisValue(client, key) })),
    )
    return dumps
  } finally {
    client.disconnect()
  }
}

async function redisValue(client: Redis, key: string): Promise<string> {
  const read: Record<string, () => Promise<unknown>> = {
    string: () => client.get(key),
    hash: () => client.hgetall(key),
    list: () => client.lrange(key, 0, -1),
    set: () => client.smembers(key),
    zset: () => client.zrange(key, 0, -1),
    stream: () => client.xrange(key, '-', '+'),
  }
  const type = await client.type(key)
  return key + JSON.stringify(await read[type]?.())
}

async function allSinks(): Promise<readonly Sink[]> {
  const { logs, url } = world.stack
  const metrics = await (await fetch(new URL('/metrics', url))).text()
  const files = Object.entries(logs).map(([name, path]) => ({
    name: `log of the ${name}`,
    text: readFileSync(path, 'utf8'),
  }))
  const responses = world.exchanges.map(({ route, answer }) => ({
    name: `answer to ${route}`,
    text: withoutDelivery(answer.text) + JSON.stringify([...answer.headers]),
  }))
  const sinks = [...files, ...responses, { name: '/metrics', text: metrics }]
  return [...sinks, ...(await tables()), ...(await redisKeys())]
}

/** The one answer that delivers a secret is looked at without it, and all others as they are. */
function withoutDelivery(text: string): string {
  let rest = text
  for (const secret of deliveries) {
    if (!rest.includes(`"${secret}"`)) continue
    rest = rest.replace(`"${secret}"`, '"delivered"')
    deliveries.delete(secret)
  }
  return rest
}

test('R29 R118 no secret is anywhere but in the answer that delivers it', async () => {
  const sinks = await allSinks()
  expect(findSecrets(secrets, sinks)).toEqual([])
  // Each was delivered once, so each was seen once.
  expect([...deliveries]).toEqual([])
  // The sinks are there, and they are full.
  const names = sinks.filter(({ text }) => text.length > 0).map(({ name }) => name)
  expect(names).toEqual(
    expect.arrayContaining([
      ...['log of the broker', 'log of the worker', '/metrics'],
      ...['table public.leases', 'table public.audit_events', 'table public.tasks'],
      ...['table public.decisions', 'table public.token_uses', 'table public.idempotency_keys'],
    ]),
  )
  const queues = redis ? ['table mayfly_queue.', 'Redis {mayfly}'] : ['table mayfly_queue.']
  for (const queue of queues) expect(names.some((name) => name.startsWith(queue))).toBe(true)
  expect(new Set(secrets.map(({ name }) => name)).size).toBeGreaterThan(15)
}, 60_000)

test.each(['vault token', 'aws secretAccessKey', 'database password', 'task token', 'sealingKey'])(
  'the search does find a %s that is somewhere',
  async (name) => {
    const secret = secrets.find((one) => one.name === name)
    if (!secret) throw new Error(`no ${name} is known`)
    const { value } = secret
    const planted = [
      { value, form: 'as it is' },
      { value: Buffer.from(`xy${value}z`).toString('base64'), form: 'base64' },
      { value: Buffer.from(`x${value}yz`).toString('base64'), form: 'base64' },
      { value: Buffer.from(value).toString('hex').toUpperCase(), form: 'hex' },
    ]
    for (const { value: text, form } of planted) {
      await world.sql('INSERT INTO audit_events (type, data) VALUES ($1, $2)', [
        'lease.failed',
        { note: `before ${text} after` },
      ])
      const found = findSecrets([secret], await tables())
      expect(found).toContain(`${name} in table public.audit_events (${form})`)
      // The log is append-only for everybody but its owner.
      await world.sql('ALTER TABLE audit_events DISABLE TRIGGER USER')
      await world.sql("DELETE FROM audit_events WHERE data->>'note' LIKE 'before%'")
      await world.sql('ALTER TABLE audit_events ENABLE TRIGGER USER')
      expect(findSecrets([secret], await tables())).toEqual([])
    }
  },
  30_000,
)
