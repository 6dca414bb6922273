import pg from 'pg'

export interface ListenerOptions {
  readonly connectionString: string
  readonly channel: string
  readonly applicationName: string
  notified(): void
  /** The session is gone, and with it whatever is sent until there is another one. */
  lost(): void
}

/** Opens a session that listens. Resolves to null when there is no connection to be had. */
export async function connectListener(options: ListenerOptions): Promise<pg.Client | null> {
  const client = new pg.Client({
    connectionString: options.connectionString,
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    application_name: options.applicationName,
  })
  client.on('notification', () => {
    options.notified()
  })
  for (const event of ['error', 'end'] as const) {
    client.on(event, () => {
      options.lost()
    })
  }
  try {
    await client.connect()
    await client.query(`LISTEN ${options.channel}`)
    return client
  } catch {
    await client.end().catch(() => undefined)
    return null
  }
}
