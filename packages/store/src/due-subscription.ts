import type pg from 'pg'

import { connectListener } from './listener.ts'

/** Notified when many leases have become due at once. */
export const DUE_CHANNEL = 'mayfly_due'

export interface DueSubscription {
  stop(): Promise<void>
}

/** A notification that is lost costs no more than a sweep interval. */
const RECONNECT_MS = 1_000

/** Calls `due` whenever somebody says that there is work, from now on and as well as it can. */
export function startDueSubscription(connectionString: string, due: () => void): DueSubscription {
  let stopped = false
  let timer: NodeJS.Timeout | undefined
  let session: Promise<pg.Client | null> = Promise.resolve(null)

  function listen(): void {
    session = connectListener({
      connectionString,
      channel: DUE_CHANNEL,
      applicationName: 'mayfly-due',
      notified: due,
      lost: reconnect,
    })
    void session.then((client) => {
      if (!client) reconnect()
    })
  }

  function reconnect(): void {
    session = Promise.resolve(null)
    clearTimeout(timer)
    if (!stopped) timer = setTimeout(listen, RECONNECT_MS)
  }

  listen()
  return {
    async stop() {
      stopped = true
      clearTimeout(timer)
      await (await session)?.end()
    },
  }
}
