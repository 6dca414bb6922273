import { chownSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/** Whom the server runs as. PostgreSQL refuses to be root, so root lends it the overflow account. */
export interface PostgresAccount {
  readonly uid?: number
  readonly gid?: number
}

const NOBODY = 65_534

export function postgresAccount(): PostgresAccount {
  return process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}
}

export function giveTo(account: PostgresAccount, path: string): void {
  if (account.uid !== undefined && account.gid !== undefined)
    chownSync(path, account.uid, account.gid)
}

/** False when some folder above `path` keeps the account out, as a root home directory does. */
export function canReach(account: PostgresAccount, path: string): boolean {
  if (account.uid === undefined) return true
  const openToOthers = (statSync(path).mode & 0o001) !== 0
  const parent = dirname(path)
  return openToOthers && (parent === path || canReach(account, parent))
}

/**
 * How the server, started inside `folder`, is told where its data is. The account may not be able
 * to walk there, but a process keeps the working directory that root gave it, and on Linux this
 * name leads back to it without passing the folders above.
 */
export function dataFolderName(account: PostgresAccount, folder: string): string {
  return account.uid !== undefined && process.platform === 'linux' ? '/proc/self/cwd' : folder
}
