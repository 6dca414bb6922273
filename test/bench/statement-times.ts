import pg from 'pg'

/** The slowest run of one statement, as PostgreSQL saw it: without waiting for the commit. */
export interface SlowStatement {
  readonly text: string
  readonly maxMs: number
  readonly meanMs: number
  readonly calls: number
}

/** Makes PostgreSQL time every statement, from its next start on. False where it cannot. */
export async function prepareStatementTimes(connectionString: string): Promise<boolean> {
  return withClient(connectionString, async (client) => {
    if (!(await isAvailable(client))) return false
    await client.query(`alter system set shared_preload_libraries = 'pg_stat_statements'`)
    return true
  })
}

/** What is measured next begins here. */
export async function resetStatementTimes(connectionString: string): Promise<void> {
  await withClient(connectionString, async (client) => {
    if (!(await isAvailable(client))) return
    await client.query('create extension if not exists pg_stat_statements')
    await client.query('select pg_stat_statements_reset()')
  })
}

/**
 * Of those that ran in the database since the reset, by whatever process, but for those that match
 * the pattern: the benchmark's own. None where PostgreSQL cannot time them.
 */
export async function slowestStatements(
  connectionString: string,
  { limit = 5, but = '^$' }: { readonly limit?: number; readonly but?: string } = {},
): Promise<readonly SlowStatement[]> {
  return withClient(connectionString, async (client) => {
    if (!(await isAvailable(client))) return []
    const { rows } = await client.query<SlowStatement>(
      `select regexp_replace(query, '\\s+', ' ', 'g') as text, max_exec_time as "maxMs",
           mean_exec_time as "meanMs", calls::int
         from pg_stat_statements
         where dbid = (select oid from pg_database where datname = current_database())
           and query !~* $2 and query !~* '^(create|alter|drop|vacuum|analyze|begin|commit)'
         order by max_exec_time desc limit $1`,
      [limit, but],
    )
    return rows
  })
}

async function isAvailable(client: pg.Client): Promise<boolean> {
  const { rowCount } = await client.query(
    `select from pg_available_extensions where name = 'pg_stat_statements'`,
  )
  return rowCount !== 0
}

async function withClient<Result>(
  connectionString: string,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = new pg.Client({ connectionString, application_name: 'bench' })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
