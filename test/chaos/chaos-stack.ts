import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { makeClient, type Client } from '@mayfly/protocol'
import { freePort, makeAcmeTokens, startAcmeStandins } from '@mayfly/sandbox'
import type { AcmeStandins, AcmeTokens } from '@mayfly/sandbox'
import pg from 'pg'

import { startReceiver, type Receiver } from '../support/receiver.ts'
import { startRedis, type RedisServer } from '../support/redis-server.ts'
import type { ChaosRun } from './chaos-run.ts'
import { writeChaosPolicies } from './chaos-policies.ts'
import { startCrashingPostgres, type CrashingPostgres } from './crashing-postgres.ts'
import { firings, type Fault, type Firing } from './fault-plan.ts'
import { pausesOf } from './scaled-pauses.ts'
import { DEADLINES } from './settings.ts'
import { startSupervised, type Supervised } from './supervised.ts'

/** The whole product, and the world around it that survives everything. */
export interface ChaosStack {
  readonly queue: 'redis' | 'postgres'
  readonly client: Client
  readonly standins: AcmeStandins
  readonly tokens: AcmeTokens
  /** Where the webhook that is told of everything leads. */
  readonly witness: Receiver
  readonly broker: Supervised
  readonly worker: Supervised
  readonly postgres: CrashingPostgres
  readonly redis: RedisServer | null
  readonly environment: Readonly<Record<string, string>>
  /** Replaces the faults that wait to fire. */
  plan(faults: readonly Fault[]): void
  fired(id: string): readonly Firing[]
  /** What the product has waited between attempts, where its time is scaled. */
  pauses(): ReadonlyMap<string, readonly number[]>
  /** Asks the database itself. Null while it is down. */
  rows(text: string): Promise<readonly unknown[] | null>
  /** One more worker beside the first. */
  startWorker(name: string, environment?: Readonly<Record<string, string>>): Promise<Supervised>
  /** How long this machine took to start the broker. */
  readonly startMs: number
  readonly logs: string
  stop(): Promise<void>
}

export interface ChaosStackOptions {
  readonly queue: 'redis' | 'postgres'
  readonly run: ChaosRun
  readonly environment?: Readonly<Record<string, string>>
}

export async function startChaosStack(options: ChaosStackOptions): Promise<ChaosStack> {
  const directory = mkdtempSync(join(tmpdir(), 'mayfly-chaos-'))
  const stops: (() => unknown)[] = []
  const keep = <Started extends { stop(): Promise<void> }>(started: Started): Started => {
    stops.push(() => started.stop())
    return started
  }
  const stop = async (): Promise<void> => {
    for (const one of stops.splice(0).reverse()) await one()
  }
  options.run.shutdown.add(directory, stop)
  stops.push(() => {
    rmSync(directory, { recursive: true, force: true })
  })
  try {
    return { ...(await compose(directory, options, keep)), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

type Keep = <Started extends { stop(): Promise<void> }>(started: Started) => Started

async function compose(
  directory: string,
  options: ChaosStackOptions,
  keep: Keep,
): Promise<Omit<ChaosStack, 'stop'>> {
  const postgres = keep(await startCrashingPostgres(directory))
  const checker = keep(makeChecker(postgres))
  const redis = options.queue === 'redis' ? keep(await startRedis()) : null
  const standins = keep(await startAcmeStandins(secrets()))
  const witnessSecret = `whsec_${randomBytes(32).toString('base64')}`
  const witness = keep(await startReceiver(witnessSecret))
  const planFile = join(directory, 'plan.json')
  writeFileSync(planFile, '[]')
  const port = await freePort()
  const url = new URL(`http://127.0.0.1:${String(port)}`)
  const environment: Record<string, string> = {
    PATH: process.env['PATH'] ?? '',
    DATABASE_URL: postgres.url,
    ...(redis ? { REDIS_URL: redis.url } : {}),
    PORT: String(port),
    PUBLIC_URL: url.origin,
    SEALING_KEYS: `chaos:${randomBytes(32).toString('base64')}`,
    BOOTSTRAP_POLICIES: writeChaosPolicies(join(directory, 'policies'), witness.url),
    WITNESS_SECRET: witnessSecret,
    CHAOS_PLAN: planFile,
    ...standins.environment,
    ...DEADLINES,
    ...options.environment,
  }
  const logs = join(directory, 'logs')
  mkdirSync(logs)
  const supervise = async (name: 'broker' | 'worker', as: string, at: URL, env = environment) =>
    keep(
      await startSupervised({
        name: as,
        entry: options.run.bundle[name],
        url: at,
        environment: env,
        logFile: join(logs, `${as}.log`),
      }),
    )
  const startWorker: ChaosStack['startWorker'] = async (name, more = {}) => {
    const health = String(await freePort())
    const at = new URL(`http://127.0.0.1:${health}`)
    return supervise('worker', name, at, { ...environment, HEALTH_PORT: health, ...more })
  }
  const startedAt = Date.now()
  const broker = await supervise('broker', 'broker', url)
  const startMs = Date.now() - startedAt
  return {
    ...{
      queue: options.queue,
      standins,
      witness,
      postgres,
      redis,
      environment,
      broker,
      logs,
      startMs,
    },
    startWorker,
    worker: await startWorker('worker'),
    client: makeClient({ baseUrl: url, timeoutMilliseconds: 20_000 }),
    tokens: makeAcmeTokens(standins.oidc),
    plan: (faults) => {
      writeFileSync(planFile, JSON.stringify(faults))
    },
    fired: (id) => firings(planFile).filter((one) => one.id === id),
    pauses: () => pausesOf(planFile),
    rows: (text) => checker.rows(text),
  }
}

/** One session for as long as it lasts: the table is read many times a second. */
function makeChecker(postgres: CrashingPostgres): {
  rows: ChaosStack['rows']
  stop(): Promise<void>
} {
  let session: pg.Client | null = null

  async function connected(): Promise<pg.Client> {
    if (session) return session
    const client = new pg.Client({
      connectionString: postgres.direct(),
      connectionTimeoutMillis: 2_000,
      query_timeout: 5_000,
    })
    client.on('error', () => {
      session = null
    })
    await client.connect()
    return (session = client)
  }

  return {
    async rows(text) {
      try {
        return (await (await connected()).query<object>(text)).rows
      } catch {
        await session?.end().catch(() => undefined)
        session = null
        return null
      }
    },
    async stop() {
      await session?.end().catch(() => undefined)
    },
  }
}

function secrets(): Parameters<typeof startAcmeStandins>[0] {
  const random = (): string => randomBytes(30).toString('base64url')
  return {
    sealingKey: '',
    githubAppKey: generateKeyPairSync('rsa', { modulusLength: 2048 })
      .privateKey.export({ type: 'pkcs8', format: 'pem' })
      .toString(),
    awsMinterSecret: random(),
    awsRevokerSecret: random(),
    vaultRootToken: `hvs.${random()}`,
    vaultSecretId: random(),
    oidcKeys: null,
  }
}
