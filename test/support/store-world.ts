import { openStore, type SealingKey, type Store } from '@mayfly/store'
import pg from 'pg'

import { createDatabase } from './database.ts'
import { sealingKey } from './lease-fixtures.ts'

export interface StoreWorld {
  readonly connectionString: string
  readonly sealingKeys: readonly SealingKey[]
  readonly store: Store
  /** What was reported to the operator. */
  readonly reports: string[]
  /** Another process, as far as the database can tell. */
  another(sealingKeys?: readonly SealingKey[]): Store
  /** Looks at, or tampers with, what is stored. */
  sql(text: string, values?: readonly unknown[]): Promise<readonly Record<string, unknown>[]>
  /** Moves a lease's instants into the past, as if that much time had gone by. */
  age(leaseId: string, seconds: number): Promise<void>
  close(): Promise<void>
}

/** A store on a database of its own. */
export async function startStoreWorld(): Promise<StoreWorld> {
  const database = await createDatabase()
  const { connectionString } = database
  const sealingKeys = [sealingKey()]
  const reports: string[] = []
  const stores: Store[] = []
  const pool = new pg.Pool({ connectionString, max: 2 })
  pool.on('error', () => undefined)

  function another(keys = sealingKeys): Store {
    const report = (message: string): void => void reports.push(message)
    const store = openStore({ connectionString, sealingKeys: keys, report })
    stores.push(store)
    return store
  }

  async function sql(
    text: string,
    values: readonly unknown[] = [],
  ): Promise<readonly Record<string, unknown>[]> {
    const { rows } = await pool.query<Record<string, unknown>>(text, [...values])
    return rows
  }

  return {
    connectionString,
    sealingKeys,
    store: another(),
    reports,
    another,
    sql,
    async age(leaseId, seconds) {
      const instants = ['created_at', 'expires_at', 'credential_expires_at', 'due_at', 'ended_at']
      const older = instants.map((name) => `${name} = ${name} - make_interval(secs => $2)`)
      await sql(`UPDATE leases SET ${older.join(', ')} WHERE id = $1`, [leaseId, seconds])
    },
    async close() {
      await Promise.all(stores.map((store) => store.close()))
      await pool.end()
      await database.drop()
    },
  }
}
