import { readFileSync } from 'node:fs'

import { Redis } from 'ioredis'

import { descendantsOf, isRunning } from '../support/processes.ts'
import type { Sink } from './find-secrets.ts'
import type { World } from './world.ts'

/** Every column of every table, of whichever schema: also those that nobody thought of. */
export async function tables(world: World): Promise<readonly Sink[]> {
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

export async function redisKeys(url: string): Promise<readonly Sink[]> {
  const client = new Redis(url)
  try {
    const keys = await client.keys('*')
    return await Promise.all(
      keys.map(async (key) => ({ name: `Redis ${key}`, text: await redisValue(client, key) })),
    )
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
    zset: () => client.zrange(key, '0', '-1'),
    stream: () => client.xrange(key, '-', '+'),
  }
  const type = await client.type(key)
  return key + JSON.stringify(await read[type]?.())
}

export function logs({ stack }: World): readonly Sink[] {
  return Object.entries(stack.logs).map(([name, path]) => ({
    name: `log of the ${name}`,
    text: readFileSync(path, 'utf8'),
  }))
}

export async function metricsPage(name: string, url: URL): Promise<Sink> {
  const response = await fetch(new URL('/metrics', url))
  return { name: `metrics of the ${name}`, text: await response.text() }
}

/** What `ps` shows of every process below this one, and what their environments hold. */
export function processes(what: 'cmdline' | 'environ'): readonly Sink[] {
  return descendantsOf(process.pid)
    .filter(isRunning)
    .map((pid) => ({
      name: `${what} of process ${String(pid)}`,
      text: readProcess(pid, what).replaceAll('\0', '\n'),
    }))
}

function readProcess(pid: number, what: 'cmdline' | 'environ'): string {
  try {
    return readFileSync(`/proc/${String(pid)}/${what}`, 'utf8')
  } catch {
    // It ended meanwhile.
    return ''
  }
}
