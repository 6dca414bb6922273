import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'

import {
  dataFolderName,
  giveTo,
  postgresAccount,
  type PostgresAccount,
} from './postgres-account.ts'
import { findPostgresBinaries } from './postgres-binaries.ts'
import { clusterIn, initialiseCluster, spawnIn, tailOf, type Cluster } from './postgres-cluster.ts'
import { socketEndpoint, socketParent, tcpEndpoint, type Endpoint } from './postgres-endpoint.ts'
import { clearLeftovers, stopServer } from './postgres-leftovers.ts'

export interface EmbeddedPostgresOptions {
  /** Kept between starts. Holds the cluster, its password and the server's log. */
  readonly dataDirectory: string
  /** `false` trades durability for speed: for tests only. */
  readonly fsync?: boolean
  /** `tcp`: a loopback port and a password, for clients that cannot use a Unix socket. */
  readonly transport?: 'socket' | 'tcp'
}

export interface EmbeddedPostgres {
  connectionString(database?: string): string
  /** A fast shutdown: sessions are cut, what was committed stays. */
  stop(): Promise<void>
}

const START_DEADLINE_MS = 30_000

/**
 * Starts a PostgreSQL of our own. One whose owner was killed is stopped first; one whose owner is
 * alive is left alone, and the start fails.
 */
export async function startEmbeddedPostgres(
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  mkdirSync(options.dataDirectory, { recursive: true })
  const cluster = clusterIn(realpathSync(options.dataDirectory))
  const account = postgresAccount()
  const scratch = mkdtempSync(join(socketParent(account), 'mayfly-'))
  giveTo(account, scratch)
  try {
    await clearLeftovers(cluster.data, join(cluster.root, 'owner.pid'))
    const { initdb, postgres } = findPostgresBinaries(account, scratch)
    await initialiseCluster(cluster, { initdb, account, scratch })
    const endpoint =
      options.transport === 'tcp' || process.platform === 'win32'
        ? await tcpEndpoint(readFileSync(cluster.password, 'utf8'))
        : socketEndpoint(scratch)
    const settings = { ...endpoint.settings, ...tuning(options.fsync ?? true) }
    return await startServer(cluster, { postgres, account, scratch, endpoint, settings })
  } catch (error) {
    rmSync(scratch, { recursive: true, force: true })
    throw error
  }
}

function tuning(fsync: boolean): Readonly<Record<string, string>> {
  const careless = { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off' }
  return {
    max_connections: '200',
    timezone: 'UTC',
    log_timezone: 'UTC',
    ...(fsync ? {} : careless),
  }
}

interface Server {
  readonly postgres: string
  readonly account: PostgresAccount
  readonly scratch: string
  readonly endpoint: Endpoint
  readonly settings: Readonly<Record<string, string>>
}

async function startServer(cluster: Cluster, server: Server): Promise<EmbeddedPostgres> {
  const { postgres: program, account, scratch, endpoint } = server
  const settings = Object.entries(server.settings).flatMap(([name, value]) => [
    '-c',
    `${name}=${value}`,
  ])
  const args = ['-D', dataFolderName(account, cluster.data), ...settings]
  writeFileSync(join(cluster.root, 'owner.pid'), `${String(process.pid)}\n`)
  const child = spawnIn(cluster.data, { program, args, account, log: cluster.log })
  await once(child, 'spawn')
  const ended = once(child, 'exit')
  const guard = startGuard(child, scratch)

  const stop = async (): Promise<void> => {
    if (child.pid !== undefined && isRunning(child)) await stopServer(child.pid)
    await ended
    guard?.kill('SIGKILL')
    rmSync(scratch, { recursive: true, force: true })
  }
  try {
    await untilReady(child, endpoint)
  } catch (cause) {
    await stop()
    throw new Error(`PostgreSQL did not start:\n${tailOf(cluster.log)}`, { cause })
  }
  return { connectionString: endpoint.connectionString, stop }
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null
}

/**
 * Ends the server when we are killed without a chance to: the shell's read returns as soon as the
 * last holder of the pipe, which is this process, is gone.
 */
function startGuard(child: ChildProcess, scratch: string): ChildProcess | null {
  if (process.platform === 'win32') return null
  const script = 'read -r _; kill -INT "$0"; rm -rf "$1"'
  const guard = spawn('/bin/sh', ['-c', script, String(child.pid), scratch], {
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  // A server that ended by itself leaves its process id to others.
  child.once('exit', () => guard.kill('SIGKILL'))
  return guard
}

async function untilReady(child: ChildProcess, endpoint: Endpoint): Promise<void> {
  const deadline = Date.now() + START_DEADLINE_MS
  for (;;) {
    const refusal = await tryToConnect(endpoint.connectionString())
    if (refusal === null) return
    if (!isRunning(child) || Date.now() > deadline) throw refusal
    await delay(20)
  }
}

async function tryToConnect(connectionString: string): Promise<Error | null> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 5_000 })
  try {
    await client.connect()
    return null
  } catch (error) {
    return error instanceof Error ? error : new Error('no connection', { cause: error })
  } finally {
    await client.end().catch(() => undefined)
  }
}
