import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'

import { startOtlpReceiver, type OtlpReceiver } from '../support/otlp-receiver.ts'
import { redisVersion, startRedis, type RedisServer } from '../support/redis-server.ts'
import { until } from '../support/until.ts'
import { applyMore } from './apply-more.ts'
import { ERRAND_NAMES, ERRANDS } from '../support/errands.ts'
import { findSecrets, type KnownSecret, type Sink } from './find-secrets.ts'
import type { OpenedTask } from './open-task.ts'
import { startReceiver, type Receiver } from '../support/receiver.ts'
import { logs, metricsPage, processes, redisKeys, tables } from './secret-sinks.ts'
import { openWorld, type Started, type World } from './world.ts'

/** Parts of credentials that are there to be seen. */
const PUBLIC_PARTS = ['username', 'address', 'accessKeyId', 'region', 'expiration']
const HOOK_SECRET = `whsec_${randomBytes(32).toString('base64')}`

let redis: RedisServer | null = null
let collector: OtlpReceiver
let hooks: Receiver
let world: World
let worker: Started
const stops: (() => Promise<void>)[] = []
/** What broker and worker are given to work with: in their environment, and nowhere else. */
const roots: KnownSecret[] = []
/** What is minted, signed and presented. */
const secrets: KnownSecret[] = []
/** What came back where a secret is delivered; everything else must not have it. */
const deliveries = new Set<string>()
/** Queues while alarms wait in them: they are empty in the end. */
const waiting: Sink[] = []

beforeAll(async () => {
  redis = redisVersion() === null ? null : await startRedis()
  stops.push(async () => redis?.stop())
  process.stdout.write(`queue payloads on Redis: ${redis ? 'looked at' : 'no redis-server here'}\n`)
  collector = await startOtlpReceiver()
  hooks = await startReceiver(HOOK_SECRET)
  stops.push(
    () => collector.stop(),
    () => hooks.stop(),
  )
  world = await openWorld({
    ...(redis ? { redisUrl: redis.url } : {}),
    environment: {
      LOG_LEVEL: 'debug',
      PROVIDER_TIMEOUT_MS: '3000',
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      HOOK_SECRET,
      WEBHOOK_ALLOWED_NETWORKS: '127.0.0.1/32',
      WEBHOOK_INTERVAL_MS: '50',
    },
  })
  stops.push(() => world.stop())
  worker = await world.start('worker')
  await driveEverything()
}, 300_000)
afterAll(async () => {
  for (const stop of stops.reverse()) await stop()
}, 60_000)

function know(name: string, value: string, among = secrets): string {
  if (value.length < 12) throw new Error(`${name} is too short to be looked for`)
  among.push({ name, value })
  return value
}

function delivered(name: string, value: string): void {
  deliveries.add(know(name, value))
}

function knowRoots(): void {
  const file = join(dirname(world.stack.logs.broker), 'secrets.json')
  const known = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown> // ours
  for (const [name, value] of Object.entries({ ...known, hookSecret: HOOK_SECRET })) {
    if (typeof value !== 'string') continue
    // What makes a PEM or a sealing key secret is its body.
    const body = value.replace(/^sandbox:/, '').replace(/-----[^-]+-----/g, '')
    for (const line of body.split('\n').filter((part) => part.length > 20)) know(name, line, roots)
    know(`${name}, whole`, value, roots)
  }
}

/** Every path that a secret takes. */
async function driveEverything(): Promise<void> {
  knowRoots()
  const spec = { url: hooks.url, events: ['*'], secret: 'env:HOOK_SECRET' }
  const webhook = { apiVersion: 'mayfly.dev/v1', kind: 'Webhook', metadata: { name: 'all' }, spec }
  expect((await applyMore(world, [webhook])).status).toBe(200)

  const workload = know('workload token', await world.stack.tokens.githubActions('payments'))
  const task = await world.openTask({ workload })
  delivered('task token', task.token)
  await mintTwice(task)
  await mintThroughPostgres()
  await mintBadly()
  await renewAndReplay(task)
  await presentWhereItDoesNotBelong(task)
  await containAndReport()
  await world.call('POST', `/v1/tasks/${task.id}/close`, { token: task.token })
  await until(async () => {
    const open = await world.sql("SELECT 1 FROM leases WHERE state IN ('active', 'revoking')")
    return open.length === 0
  }, 60_000)
  await until(() => hooks.received.some(({ type }) => type === 'lease.revoked'))
  await until(() => collector.spans().some(({ service }) => service === 'mayfly-worker'))
}

async function mintTwice(task: OpenedTask): Promise<void> {
  for (const name of ERRAND_NAMES) {
    const headers = { 'idempotency-key': `key-of-${name}` }
    const answer = await world.ask(task, { ...ERRANDS[name], ttlSeconds: 60 }, headers)
    expect(answer.status).toBe(201)
    const credential = answer.json['credential'] as Record<string, string> // the contract of 201
    for (const [part, value] of Object.entries(credential))
      if (!PUBLIC_PARTS.includes(part)) delivered(`${name} ${part}`, value)
    await world.ask(task, { ...ERRANDS[name], ttlSeconds: 60 }, headers)
  }
  if (redis) waiting.push(...(await redisKeys(redis.url)))
}

/** A broker and a worker whose alarms are in PostgreSQL, so that both kinds of queue are looked at. */
async function mintThroughPostgres(): Promise<void> {
  const { url } = await world.start('broker', { REDIS_URL: '' })
  const task = await world.openTask()
  delivered('task token of the other broker', task.token)
  for (const name of ['github', 'aws', 'vault'] as const) {
    const body = { ...ERRANDS[name], ttlSeconds: 10 }
    const answer = await world.call('POST', '/v1/leases', { token: task.token, body, url })
    expect([answer.status, answer.json['detail']]).toEqual([201, undefined])
    const credential = answer.json['credential'] as Record<string, string> // the contract of 201
    for (const [part, value] of Object.entries(credential))
      if (!PUBLIC_PARTS.includes(part)) delivered(`${name} ${part} of the other broker`, value)
  }
  waiting.push(...(await tables(world)))
  await world.start('worker', { REDIS_URL: '' })
}

async function mintBadly(): Promise<void> {
  const { github } = world.stack.standins
  for (const fault of [
    { kind: 'lost' },
    { kind: 'wider', permissions: { issues: 'write' } },
    { kind: 'truncated', characters: 300 },
  ] as const) {
    const task = await world.openTask()
    delivered(`task token of a mint that is ${fault.kind}`, task.token)
    github.faults.next(fault, 'mint')
    expect((await world.ask(task, ERRANDS.github)).json['code']).toMatch(/^provider_/)
  }
  for (const { token } of github.issued()) know('GitHub token', token)
}

async function renewAndReplay(task: OpenedTask): Promise<void> {
  const fresh = know('next workload token', await world.stack.tokens.githubActions('payments'))
  const renewed = await world.call('POST', `/v1/tasks/${task.id}/token`, { token: fresh })
  delivered('renewed task token', String(renewed.json['taskToken']))
  const body = { intent: { reason: 'again' }, declarations: [ERRANDS.vault] }
  expect((await world.call('POST', '/v1/tasks', { token: fresh, body })).status).toBe(401)
}

async function presentWhereItDoesNotBelong(task: OpenedTask): Promise<void> {
  const person = know('operator token', await world.stack.tokens.person('auditor'))
  await world.call('POST', '/v1/policy-sets', { token: person, body: { resources: [] } })
  await world.call('GET', '/v1/leases', { token: person })
  await world.call('GET', `/v1/leases/${secrets.at(-1)?.value ?? ''}`, { token: task.token })
  await world.ask(task, { ...ERRANDS.vault, parameters: { team: 'web', secret: 'app' } })
  await world.call('DELETE', `/v1/tasks/${task.id}/close`, { token: task.token })
}

/** An incident: the credential itself is sent in, and the stream is read to its end. */
async function containAndReport(): Promise<void> {
  const task = await world.openTask()
  delivered('task token of the incident', task.token)
  const { credential } = await world.issue(task, ERRANDS.github)
  const found = credential['token'] ?? ''
  delivered('github token of the incident', found)
  const token = know('responder’s token', await world.stack.tokens.person('responder'))
  const { credential: next } = await world.issue(task, ERRANDS.vault)
  delivered('vault token of the incident', next['token'] ?? '')
  const leak = await world.call('POST', '/v1/leaks', { token, body: { credential: found } })
  expect(leak.status).toBe(200)
  const body = { selector: { task: task.id }, reason: 'found in a log', incident: 'INC-7' }
  await world.call('POST', '/v1/containments', { token, body: { ...body, dryRun: true } })
  const begun = await world.call('POST', '/v1/containments', {
    token,
    body,
    headers: { 'idempotency-key': 'inc-7' },
  })
  expect([begun.status, begun.json['detail']]).toEqual([202, undefined])
  const { id } = begun.json['containment'] as { id: string } // the contract of 202
  const events = await world.call('GET', `/v1/containments/${id}/events`, { token })
  expect([events.status, events.text]).toEqual([200, expect.stringContaining('finished')])
}

async function allSinks(): Promise<readonly Sink[]> {
  const responses = world.exchanges.map(({ route, answer }) => ({
    name: `answer to ${route}`,
    text: withoutDelivery(answer.text) + JSON.stringify([...answer.headers]),
  }))
  return [
    ...logs(world),
    ...responses,
    ...waiting,
    await metricsPage('broker', world.stack.url),
    await metricsPage('worker', worker.url),
    { name: 'spans', text: collector.bodies().join('\n') },
    { name: 'webhooks', text: hooks.requests.join('\n') },
    ...processes('cmdline'),
    ...(await tables(world)),
    ...(redis ? await redisKeys(redis.url) : []),
  ]
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

describe('G6 every secret there is', () => {
  test('R29 R118 is nowhere but in the answer that delivers it', async () => {
    const sinks = await allSinks()
    expect(findSecrets([...roots, ...secrets], sinks)).toEqual([])
    // Each was delivered once, so each was seen once.
    expect([...deliveries]).toEqual([])
    // The sinks are there, and they are full.
    const names = sinks.filter(({ text }) => text.length > 0).map(({ name }) => name)
    expect(names).toEqual(
      expect.arrayContaining([
        ...['log of the broker', 'log of the worker', 'metrics of the broker'],
        ...['metrics of the worker', 'spans', 'webhooks'],
        ...['table public.leases', 'table public.audit_events', 'table public.tasks'],
        ...['table public.decisions', 'table public.token_uses', 'table public.idempotency_keys'],
      ]),
    )
    const jobs = sinks.filter(({ text }) => /\blea_[0-9A-Z]{26}/.test(text))
    const queues = redis ? ['table mayfly_queue.', 'Redis {mayfly}'] : ['table mayfly_queue.']
    for (const queue of queues)
      expect(jobs.filter(({ name }) => name.startsWith(queue))).not.toEqual([])
    expect(new Set(secrets.map(({ name }) => name)).size).toBeGreaterThan(20)
  }, 60_000)

  test('is in no environment, but for what broker and worker need of it', () => {
    const environments = processes('environ')
    expect(findSecrets(secrets, environments)).toEqual([])
    if (process.platform !== 'linux') return
    const [sealingKey] = roots.filter(({ name }) => name === 'sealingKey')
    const holders = environments.filter(({ text }) => text.includes(sealingKey?.value ?? '?'))
    // Two brokers, three workers, and what a loader of TypeScript may have started below them.
    expect(holders.length).toBeGreaterThanOrEqual(5)
  })

  test.each(['vault token', 'aws secretAccessKey', 'database password', 'task token'])(
    'is found where it is: a %s',
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
        const found = findSecrets([secret], await tables(world))
        expect(found).toContain(`${name} in table public.audit_events (${form})`)
        // The log is append-only for everybody but its owner.
        await world.sql('ALTER TABLE audit_events DISABLE TRIGGER USER')
        await world.sql("DELETE FROM audit_events WHERE data->>'note' LIKE 'before%'")
        await world.sql('ALTER TABLE audit_events ENABLE TRIGGER USER')
        expect(findSecrets([secret], await tables(world))).toEqual([])
      }
    },
    30_000,
  )
})
