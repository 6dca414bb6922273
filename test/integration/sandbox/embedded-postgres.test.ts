import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { startEmbeddedPostgres, type EmbeddedPostgres } from '@mayfly/sandbox'
import { applyMigrations, openStore } from '@mayfly/store'
import { Queue, createPostgresBackend } from 'bullmq'
import pg from 'pg'

import { sealingKey } from '../../support/lease-fixtures.ts'
import { childrenOf, isRunning } from '../../support/processes.ts'
import { until } from '../../support/until.ts'

let folder: string
let running: EmbeddedPostgres[] = []
let children: ChildProcess[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mayfly-embedded-'))
})

afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  await Promise.all(running.map((server) => server.stop()))
  running = []
  children = []
  rmSync(folder, { recursive: true, force: true })
})

async function start(
  name = 'postgres',
  transport: 'socket' | 'tcp' = 'socket',
): Promise<EmbeddedPostgres> {
  const dataDirectory = join(folder, name)
  const server = await startEmbeddedPostgres({ dataDirectory, fsync: false, transport })
  running.push(server)
  return server
}

async function query(connectionString: string, sql: string): Promise<readonly unknown[]> {
  const client = new pg.Client({ connectionString })
  // A server that goes away while a session is open is what some tests are about.
  client.on('error', () => undefined)
  await client.connect()
  const { rows } = await client.query<Record<string, unknown>>(sql)
  await client.end()
  return rows
}

/** A process that owns a server, and can be killed. */
async function startOwner(name = 'postgres'): Promise<{ child: ChildProcess; url: string }> {
  const script = fileURLToPath(new URL('../../support/hold-postgres.ts', import.meta.url))
  const args = ['--conditions=@mayfly/source', '--import', 'tsx', script, join(folder, name)]
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  children.push(child)
  for await (const url of createInterface({ input: child.stdout })) return { child, url }
  throw new Error('the owner did not start its server')
}

function serverPid(name = 'postgres'): number {
  return Number.parseInt(readFileSync(join(folder, name, 'data/postmaster.pid'), 'utf8'), 10)
}

async function killed(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}

const untilGone = (pid: number): Promise<void> => until(() => !isRunning(pid))

describe('an embedded PostgreSQL', () => {
  test('keeps its data between starts, behind a socket and behind a password', async () => {
    const first = await start()
    await query(first.connectionString(), 'CREATE TABLE kept AS SELECT 42 AS answer')
    await first.stop()
    const second = await start('postgres', 'tcp')
    const url = new URL(second.connectionString())
    expect(url.hostname).toBe('127.0.0.1')
    expect(await query(url.href, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }])
    url.password = 'wrong'
    await expect(query(url.href, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' })
  })

  test('runs in a folder that nobody else may enter', async () => {
    chmodSync(folder, 0o700)
    const server = await start()
    expect(await query(server.connectionString(), 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  })

  test('runs beside another one', async () => {
    const [one, two] = await Promise.all([start('one'), start('two')])
    await query(one.connectionString(), 'CREATE TABLE mine ()')
    await expect(query(two.connectionString(), 'TABLE mine')).rejects.toMatchObject({
      code: '42P01',
    })
  })

  test.each(['socket', 'tcp'] as const)('serves Prisma and BullMQ over %s', async (transport) => {
    const server = await start('postgres', transport)
    await query(server.connectionString(), 'CREATE DATABASE mayfly')
    const connectionString = server.connectionString('mayfly')
    await applyMigrations(connectionString)
    const store = openStore({ connectionString, sealingKeys: [sealingKey()] })
    expect(await store.leases.find('lea_none')).toBeNull()
    await store.close()
    const connection = { connectionString, migrate: true, max: 2 }
    const queue = new Queue('revocations', { connection }, createPostgresBackend)
    await queue.add('revoke', {}, { jobId: 'lea_1' })
    expect(await queue.getJobCountByTypes('waiting')).toBe(1)
    await queue.close()
  })

  test('goes when its owner is killed, and leaves nothing in the way of the next start', async () => {
    const { child, url } = await startOwner()
    await query(url, 'CREATE TABLE kept ()')
    const pid = serverPid()
    await killed(child)
    const next = await start()
    expect(await query(next.connectionString(), 'TABLE kept')).toEqual([])
    await untilGone(pid)
  })

  test('is stopped by the next start when it outlived owner and guard', async () => {
    const { child } = await startOwner()
    const pid = serverPid()
    const guards = childrenOf(child.pid ?? 0).filter((other) => other !== pid)
    expect(guards.length).toBeGreaterThan(0)
    for (const guard of guards) process.kill(guard, 'SIGKILL')
    await killed(child)
    expect(isRunning(pid)).toBe(true)
    const next = await start()
    expect(isRunning(pid)).toBe(false)
    expect(await query(next.connectionString(), 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  })

  test('is not taken from an owner that is alive', async () => {
    const { url } = await startOwner()
    await expect(start()).rejects.toThrow('is using the PostgreSQL data')
    expect(await query(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  })

  test('starts although everything was killed and its process id is somebody else’s now', async () => {
    const { child, url } = await startOwner()
    await query(url, 'CREATE TABLE kept ()')
    // Without fsync, what a killed server has not written is lost.
    await query(url, 'CHECKPOINT')
    const pid = serverPid()
    process.kill(pid, 'SIGKILL')
    await untilGone(pid)
    await killed(child)
    const lockFile = join(folder, 'postgres/data/postmaster.pid')
    const [, ...rest] = readFileSync(lockFile, 'utf8').split('\n')
    const stranger = spawn('sleep', ['60'])
    children.push(stranger)
    writeFileSync(lockFile, [String(stranger.pid), ...rest].join('\n'))
    const next = await start()
    expect(await query(next.connectionString(), 'TABLE kept')).toEqual([])
    expect(isRunning(stranger.pid ?? 0)).toBe(true)
  })

  test('leaves nothing behind in the temporary folder', async () => {
    const server = await start()
    const socketFolder = new URL(server.connectionString()).searchParams.get('host') ?? ''
    expect(existsSync(socketFolder)).toBe(true)
    await server.stop()
    expect(existsSync(socketFolder)).toBe(false)
  })
})
