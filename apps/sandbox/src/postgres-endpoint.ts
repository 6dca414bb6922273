import { createServer } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'

import { canReach, type PostgresAccount } from './postgres-account.ts'

/** Where clients find the server. */
export interface Endpoint {
  readonly settings: Readonly<Record<string, string>>
  readonly connectionString: (database?: string) => string
}

/** `sockaddr_un` holds 107 bytes; `/mayfly-XXXXXX/.s.PGSQL.5432` takes 30 of them. */
const LONGEST_FOLDER = 107 - 30

/** A folder for sockets: short enough, and one that the server's account can enter. */
export function socketParent(account: PostgresAccount): string {
  const preferred = tmpdir()
  const fits = Buffer.byteLength(preferred) <= LONGEST_FOLDER
  return process.platform === 'win32' || (fits && canReach(account, preferred)) ? preferred : '/tmp'
}

/** The folder admits the server's account alone, so its socket asks for no password. */
export function socketEndpoint(folder: string): Endpoint {
  return {
    settings: { listen_addresses: '', unix_socket_directories: folder },
    connectionString: (database = 'postgres') =>
      `postgresql://postgres@localhost/${database}?host=${encodeURIComponent(folder)}`,
  }
}

export async function tcpEndpoint(password: string): Promise<Endpoint> {
  const port = await freePort()
  return {
    settings: { listen_addresses: '127.0.0.1', port: String(port), unix_socket_directories: '' },
    connectionString: (database = 'postgres') =>
      `postgresql://postgres:${password}@127.0.0.1:${String(port)}/${database}`,
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  if (address === null || typeof address === 'string') throw new Error('no free port on loopback')
  return address.port
}
