import { cpus, loadavg, totalmem } from 'node:os'

import pg from 'pg'

import { redisVersion } from '../support/redis-server.ts'

export interface HostFacts {
  readonly at: string
  readonly cores: number
  readonly cpu: string
  readonly memoryGib: number
  /** One-minute load when the run began: well above zero means that others were working too. */
  readonly loadBefore: number
  readonly node: string
  readonly postgres: string
  readonly redis: string | null
}

export async function hostFacts(databaseUrl: string): Promise<HostFacts> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    const { rows } = await client.query<{ server_version: string }>('show server_version')
    return {
      at: new Date().toISOString(),
      cores: cpus().length,
      cpu: cpus()[0]?.model ?? 'unknown',
      memoryGib: Math.round(totalmem() / 2 ** 30),
      loadBefore: loadavg()[0] ?? 0,
      node: process.version,
      postgres: rows[0]?.server_version ?? 'unknown',
      redis: redisVersion(),
    }
  } finally {
    await client.end()
  }
}
