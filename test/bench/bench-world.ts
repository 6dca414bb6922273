import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { CredentialText, makeClient, type Client } from '@mayfly/protocol'
import { freePort, startApp, type AppProcess } from '@mayfly/sandbox'
import { startOidcStandin } from '@mayfly/standins'
import pg from 'pg'

import { until } from '../support/until.ts'
import { startScriptServer, type ScriptServer } from './script-process.ts'

/** What is started once and used by every part of the benchmark. */
export interface BenchHost {
  /** Holds logs and profiles. */
  readonly directory: string
  /** Of a database with the name. */
  readonly databaseUrl: (name: string) => string
  readonly postgresPid: number
  readonly redisUrl: string | null
  readonly profile: string | null
}

/** One database, provider and broker of their own, and one task that is open. */
export interface BenchWorld {
  readonly brokerUrl: URL
  readonly databaseUrl: string
  readonly broker: AppProcess
  readonly github: ScriptServer
  readonly client: Client
  /** What its broker and workers seal handles with. */
  readonly sealingKeys: string
  /** A token of a task that has just been opened. */
  openTask(declarations?: readonly LeaseRequest[]): Promise<string>
  /** A token of somebody who may look at everything and contain it. */
  signIn(): Promise<CredentialText>
  startWorker(environment?: Readonly<Record<string, string>>): Promise<WorkerProcess>
  /** Credentials that the provider would still accept. */
  liveCredentials(): Promise<number>
  stop(): Promise<void>
}

export interface WorkerProcess extends AppProcess {
  /** Where its metrics are. */
  readonly url: URL
}

export interface WorldOptions {
  readonly name: string
  /** Where BullMQ finds its jobs. Absent: in the database. */
  readonly redisUrl?: string
  /** The folder of the policy set. */
  readonly policies?: string
  /** For its broker and workers. */
  readonly environment?: Readonly<Record<string, string>>
}

export interface LeaseRequest {
  readonly template: string
  readonly actions: readonly string[]
  readonly parameters: Readonly<Record<string, string>>
}

export const LEASE_REQUEST: LeaseRequest = {
  template: 'github-bench',
  actions: ['repo.read'],
  parameters: { repository: 'acme/web' },
}

export const POLICIES = fileURLToPath(new URL('./policies', import.meta.url))

export async function startWorld(host: BenchHost, options: WorldOptions): Promise<BenchWorld> {
  const stops: (() => Promise<void>)[] = []
  const stop = async (): Promise<void> => {
    for (const stopOne of stops.splice(0).reverse()) await stopOne()
  }
  try {
    return await startParts(host, options, { stops, stop })
  } catch (error) {
    await stop()
    throw error
  }
}

interface Stopping {
  readonly stops: (() => Promise<void>)[]
  readonly stop: () => Promise<void>
}

async function startParts(
  host: BenchHost,
  { name, redisUrl, policies = POLICIES, environment: more = {} }: WorldOptions,
  { stops, stop }: Stopping,
): Promise<BenchWorld> {
  const databaseUrl = await createDatabase(host, name)
  const oidc = await startOidcStandin({ issuers: ['bench', 'people'] })
  stops.push(() => oidc.stop())
  const github = await startScriptServer('./instant-github.ts')
  stops.push(() => github.stop())

  const sealingKeys = `bench:${randomBytes(32).toString('base64')}`
  const environment = {
    PATH: process.env['PATH'] ?? '',
    DATABASE_URL: databaseUrl,
    ...(redisUrl === undefined ? {} : { REDIS_URL: redisUrl }),
    SEALING_KEYS: sealingKeys,
    BENCH_ISSUER: oidc.named('bench').issuer,
    BENCH_PEOPLE_ISSUER: oidc.named('people').issuer,
    BENCH_GITHUB_API_URL: github.url.origin,
    BENCH_GITHUB_APP_PRIVATE_KEY: appKey(),
    ...(host.profile === null ? {} : profiling(host.profile)),
    ...more,
  }
  const startProcess = async (
    app: 'broker' | 'worker',
    url: URL,
    env: Readonly<Record<string, string>>,
  ): Promise<AppProcess> => {
    const logFile = join(host.directory, `${name}-${app}.log`)
    const started = await startApp({
      app,
      from: 'build',
      env: { ...environment, ...env },
      logFile,
    })
    stops.push(() => started.stop())
    const ended = started.ended.then((how) => {
      throw new Error(`the ${app} ended: ${how}\n${readFileSync(logFile, 'utf8').slice(-2000)}`)
    })
    await Promise.race([until(() => isReady(url), 60_000), ended])
    ended.catch(() => undefined)
    return started
  }

  const brokerUrl = await freeUrl()
  const broker = await startProcess('broker', brokerUrl, {
    PORT: brokerUrl.port,
    PUBLIC_URL: brokerUrl.origin,
    BOOTSTRAP_POLICIES: policies,
    RATE_LIMIT_PER_MINUTE: '1000000000',
    RATE_LIMIT_PER_MINUTE_PER_CALLER: '1000000000',
  })
  const client = makeClient({ baseUrl: brokerUrl })

  return {
    brokerUrl,
    databaseUrl,
    broker,
    github,
    client,
    sealingKeys,
    stop,
    async openTask(declarations = [LEASE_REQUEST]) {
      const claims = { aud: 'mayfly', sub: 'bench', repository_id: '42' }
      const issued = await oidc.named('bench').issue(claims, { algorithm: 'ES256' })
      const { taskToken } = await client.openTask(
        { intent: { reason: 'benchmark' }, declarations: declarations.map(mutable) },
        { token: new CredentialText(issued) },
      )
      return taskToken.reveal()
    },
    async signIn() {
      const claims = { aud: 'mayfly', sub: 'bench@acme.example' }
      const issued = await oidc.named('people').issue(claims, { algorithm: 'ES256' })
      return new CredentialText(issued)
    },
    async startWorker(env = {}) {
      const url = await freeUrl()
      return { ...(await startProcess('worker', url, { HEALTH_PORT: url.port, ...env })), url }
    },
    async liveCredentials() {
      const response = await fetch(new URL('/_live', github.url))
      const { live } = (await response.json()) as { live: number } // instant-github.ts
      return live
    },
  }
}

function mutable({ template, actions, parameters }: LeaseRequest) {
  return { template, actions: [...actions], parameters: { ...parameters } }
}

async function createDatabase(host: BenchHost, name: string): Promise<string> {
  const client = new pg.Client({ connectionString: host.databaseUrl('postgres') })
  await client.connect()
  try {
    await client.query(`create database bench_${name}`)
  } finally {
    await client.end()
  }
  return host.databaseUrl(`bench_${name}`)
}

async function freeUrl(): Promise<URL> {
  return new URL(`http://127.0.0.1:${String(await freePort())}`)
}

async function isReady(url: URL): Promise<boolean> {
  const response = await fetch(new URL('/readyz', url)).catch(() => null)
  return response?.ok ?? false
}

function appKey(): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

const PROFILER = new URL('./profile-process.js', import.meta.url).href

function profiling(folder: string): Readonly<Record<string, string>> {
  return { NODE_OPTIONS: `--import=${PROFILER}`, BENCH_PROFILE_FOLDER: folder }
}
