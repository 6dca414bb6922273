import { join } from 'node:path'
import type { NetConnectOpts } from 'node:net'

import pg from 'pg'

import { createEmptyDatabase } from '../support/database.ts'
import { startSeverableProxy } from '../support/severable-proxy.ts'
import { describeRevocationQueue, type QueueServer } from './revocation-queue-contract.ts'

describeRevocationQueue('PostgreSQL', open)

/** Behind a proxy: the server is shared, and other tests must not notice that it goes away. */
async function open(): Promise<QueueServer> {
  const database = await createEmptyDatabase()
  const proxied = new URL(database.connectionString)
  const proxy = await startSeverableProxy(addressOf(proxied))
  proxied.searchParams.delete('host')
  proxied.hostname = '127.0.0.1'
  proxied.port = String(proxy.port)
  return {
    location: { databaseUrl: proxied.href },
    sever: () => proxy.sever(),
    restore: () => proxy.restore(),
    dump: () => dump(database.connectionString),
    async stop() {
      await proxy.stop()
      await database.drop()
    },
  }
}

function addressOf(url: URL): NetConnectOpts {
  const port = url.port === '' ? 5432 : Number(url.port)
  const folder = url.searchParams.get('host')
  return folder === null
    ? { host: url.hostname, port }
    : { path: join(folder, `.s.PGSQL.${String(port)}`) }
}

async function dump(databaseUrl: string): Promise<string> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    const tables = await client.query<{ name: string }>(
      `select quote_ident(table_schema) || '.' || quote_ident(table_name) as name
         from information_schema.tables where table_schema = 'mayfly_queue'`,
    )
    const texts: string[] = []
    for (const { name } of tables.rows) {
      const { rows } = await client.query<{ row: string }>(
        `select t::text as row, t.* from ${name} t`,
      )
      texts.push(JSON.stringify(rows))
    }
    return texts.join('\n')
  } finally {
    await client.end()
  }
}
