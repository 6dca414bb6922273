import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { startEmbeddedPostgres } from '@mayfly/sandbox'
import { applyMigrations } from '@mayfly/store'
import pg from 'pg'

const dataDirectory = mkdtempSync(join(tmpdir(), 'mayfly-test-'))
const server = await startEmbeddedPostgres({ dataDirectory, fsync: false })
try {
  const client = new pg.Client({ connectionString: server.connectionString() })
  await client.connect()
  await client.query('CREATE DATABASE mayfly_template')
  await client.end()
  await applyMigrations(server.connectionString('mayfly_template'))

  process.stdout.write(`${server.connectionString()}\n`)
  process.stdin.resume()
  await once(process.stdin, 'end')
} finally {
  await server.stop()
  rmSync(dataDirectory, { recursive: true, force: true })
}
