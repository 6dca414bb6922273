import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

import { startAcmeStandins, type AcmeStandins } from './acme-standins.ts'
import { makeAcmeTokens, type AcmeTokens } from './acme-tokens.ts'
import { startApp, type AppProcess } from './app-process.ts'
import { startEmbeddedPostgres } from './embedded-postgres.ts'
import { freePort } from './free-port.ts'
import { writeSandboxPolicies } from './sandbox-policies.ts'
import { loadSandboxSecrets, saveSandboxSecrets } from './sandbox-secrets.ts'
import { loadStandinPorts, saveStandinPorts } from './standin-ports.ts'

export interface StackOptions {
  /** Holds the database, the logs and the key material of this stack; kept between starts. */
  readonly directory: string
  /** The broker's port; another one is taken when it is in use. */
  readonly port?: number
  /** A database that exists already, in place of the embedded one. */
  readonly databaseUrl?: string
  readonly redisUrl?: string
  /** Folder of the resources for the first start. `examples/acme` unless told. */
  readonly policies?: string
  /** Environment for broker and worker, over the stack's own. */
  readonly environment?: Readonly<Record<string, string>>
  readonly workers?: number
  readonly progress?: (step: string) => void
}

export interface Stack {
  readonly url: URL
  readonly databaseUrl: string
  readonly standins: AcmeStandins
  readonly tokens: AcmeTokens
  readonly broker: AppProcess
  readonly workers: readonly AppProcess[]
  /** The environment that broker and worker were started with. */
  readonly environment: Readonly<Record<string, string>>
  readonly logs: { readonly broker: string; readonly worker: string }
  stop(): Promise<void>
}

const READY_DEADLINE_MS = 60_000

/**
 * Starts the whole product on this machine: PostgreSQL, the world that it talks to, and the broker
 * and worker as processes of their own, as in production.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { directory, progress = () => undefined } = options
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const stops: (() => Promise<void>)[] = []
  const stop = async (): Promise<void> => {
    for (const stopOne of stops.splice(0).reverse()) await stopOne()
  }
  try {
    progress('PostgreSQL')
    const databaseUrl = options.databaseUrl ?? (await startDatabase(directory, stops))

    progress('stand-ins for GitHub, AWS, Vault and the identity providers')
    const secretsFile = join(directory, 'secrets.json')
    const secrets = loadSandboxSecrets(secretsFile)
    const portsFile = join(directory, 'standin-ports.json')
    const standins = await startAcmeStandins(secrets, await loadStandinPorts(portsFile))
    stops.push(() => standins.stop())
    saveStandinPorts(portsFile, standins)
    saveSandboxSecrets(secretsFile, { ...secrets, oidcKeys: standins.oidc.exportKeys() })

    const port = await freePort(options.port)
    const url = new URL(`http://127.0.0.1:${String(port)}`)
    const environment = environmentOf(
      { options, databaseUrl, standins, port, url },
      secrets.sealingKey,
    )
    const logs = { broker: join(directory, 'broker.log'), worker: join(directory, 'worker.log') }

    progress('broker')
    const broker = await startApp({ app: 'broker', env: environment, logFile: logs.broker })
    stops.push(() => broker.stop())
    await untilReady(url, broker, logs.broker)

    progress('worker')
    const workers = await startWorkers(options.workers ?? 1, environment, logs.worker, stops)
    const tokens = makeAcmeTokens(standins.oidc)
    return { url, databaseUrl, standins, tokens, broker, workers, environment, logs, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function startDatabase(directory: string, stops: (() => Promise<void>)[]): Promise<string> {
  const postgres = await startEmbeddedPostgres({ dataDirectory: join(directory, 'postgres') })
  stops.push(() => postgres.stop())
  return postgres.connectionString()
}

interface Parts {
  readonly options: StackOptions
  readonly databaseUrl: string
  readonly standins: AcmeStandins
  readonly port: number
  readonly url: URL
}

function environmentOf(
  { options, databaseUrl, standins, port, url }: Parts,
  sealingKey: string,
): Readonly<Record<string, string>> {
  return {
    PATH: process.env['PATH'] ?? '',
    DATABASE_URL: databaseUrl,
    ...(options.redisUrl ? { REDIS_URL: options.redisUrl } : {}),
    PORT: String(port),
    PUBLIC_URL: url.origin,
    SEALING_KEYS: sealingKey,
    BOOTSTRAP_POLICIES:
      options.policies ?? writeSandboxPolicies(join(options.directory, 'policies')),
    ...standins.environment,
    ...options.environment,
  }
}

async function startWorkers(
  count: number,
  environment: Readonly<Record<string, string>>,
  logFile: string,
  stops: (() => Promise<void>)[],
): Promise<readonly AppProcess[]> {
  const workers: AppProcess[] = []
  for (let started = 0; started < count; started += 1) {
    const port = await freePort()
    const env = { ...environment, HEALTH_PORT: String(port) }
    const worker = await startApp({ app: 'worker', env, logFile })
    stops.push(() => worker.stop())
    await untilReady(new URL(`http://127.0.0.1:${String(port)}`), worker, logFile)
    workers.push(worker)
  }
  return workers
}

async function untilReady(url: URL, app: AppProcess, logFile: string): Promise<void> {
  const ended = app.ended.then((how) => Promise.reject(new Error(`it ended with ${how}`)))
  try {
    await Promise.race([ended, answersReady(url)])
  } catch (cause) {
    const log = existsSync(logFile) ? readFileSync(logFile, 'utf8').split('\n').slice(-12) : []
    throw new Error(`not ready\n${log.join('\n')}`, { cause })
  }
}

async function answersReady(url: URL): Promise<void> {
  const deadline = Date.now() + READY_DEADLINE_MS
  while (Date.now() < deadline) {
    const response = await fetch(new URL('/readyz', url)).catch(() => null)
    if (response?.ok) return
    await delay(50)
  }
  throw new Error('it was not ready in time')
}
