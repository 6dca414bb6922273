import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import { startEmbeddedPostgres } from '@mayfly/sandbox'

import { startSeverableProxy } from '../support/severable-proxy.ts'

/** A durable PostgreSQL (fsync on) that can die and come back under the same URL. */
export interface CrashingPostgres {
  /** Through a relay that stays where it is while the server dies. */
  readonly url: string
  /** Straight to the server: for the checker, which must not see the faults. */
  direct(): string
  /** Ends every session at once, with no checkpoint: recovery is from the write-ahead log. */
  crash(): Promise<void>
  restart(): Promise<void>
  stop(): Promise<void>
}

export async function startCrashingPostgres(directory: string): Promise<CrashingPostgres> {
  const dataDirectory = join(directory, 'postgres')
  let server = await startEmbeddedPostgres({ dataDirectory })
  // Read at each connection, because the socket moves when the server is started again.
  const target = {
    get path() {
      return join(
        new URL(server.connectionString()).searchParams.get('host') ?? '',
        '.s.PGSQL.5432',
      )
    },
  }
  const proxy = await startSeverableProxy(target)

  return {
    url: `postgresql://postgres@127.0.0.1:${String(proxy.port)}/postgres`,
    direct: () => server.connectionString(),
    async crash() {
      const [pid] = readFileSync(join(dataDirectory, 'data', 'postmaster.pid'), 'utf8').split('\n')
      process.kill(Number(pid), 'SIGQUIT')
      await proxy.sever()
      await untilGone(Number(pid))
      await server.stop()
    },
    async restart() {
      server = await startEmbeddedPostgres({ dataDirectory })
      await proxy.restore()
    },
    async stop() {
      await proxy.stop()
      await server.stop()
    },
  }
}

/** Its parent is this process, which reaps it. */
async function untilGone(pid: number): Promise<void> {
  const deadline = Date.now() + 15_000
  while (isThere(pid)) {
    if (Date.now() > deadline) throw new Error('PostgreSQL did not die')
    await pause(20)
  }
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
