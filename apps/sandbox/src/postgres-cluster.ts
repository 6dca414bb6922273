import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'

import { dataFolderName, giveTo, type PostgresAccount } from './postgres-account.ts'

export interface Cluster {
  /** Where the cluster, its password and its log are kept. */
  readonly root: string
  readonly data: string
  readonly password: string
  readonly log: string
}

export function clusterIn(root: string): Cluster {
  return {
    root,
    data: join(root, 'data'),
    password: join(root, 'password'),
    log: join(root, 'postgres.log'),
  }
}

export interface Initialisation {
  readonly initdb: string
  readonly account: PostgresAccount
  /** A folder that the account can read: the password is passed through it. */
  readonly scratch: string
}

/** Builds the cluster beside its final place: an interrupted start leaves nothing half made. */
export async function initialiseCluster(cluster: Cluster, by: Initialisation): Promise<void> {
  if (existsSync(cluster.data)) return
  const unfinished = join(cluster.root, 'data.unfinished')
  rmSync(unfinished, { recursive: true, force: true })
  mkdirSync(unfinished, { mode: 0o700 })
  giveTo(by.account, unfinished)

  const password = randomBytes(24).toString('base64url')
  writeFileSync(cluster.password, password, { mode: 0o600 })
  const passwordFile = join(by.scratch, 'password')
  writeFileSync(passwordFile, password, { mode: 0o600 })
  giveTo(by.account, passwordFile)

  const args = [
    `--pgdata=${dataFolderName(by.account, unfinished)}`,
    '--username=postgres',
    '--auth-local=trust',
    '--auth-host=scram-sha-256',
    `--pwfile=${passwordFile}`,
    '--encoding=UTF8',
    '--locale=C',
    '--no-sync',
  ]
  const child = spawnIn(unfinished, {
    program: by.initdb,
    args,
    account: by.account,
    log: cluster.log,
  })
  await once(child, 'exit')
  rmSync(passwordFile)
  if (child.exitCode !== 0) throw new Error(`initdb failed:\n${tailOf(cluster.log)}`)
  renameSync(unfinished, cluster.data)
}

export interface Command {
  readonly program: string
  readonly args: readonly string[]
  readonly account: PostgresAccount
  readonly log: string
}

/** Detached, so that Ctrl-C in a terminal reaches us first and the server when we say so. */
export function spawnIn(folder: string, { program, args, account, log }: Command): ChildProcess {
  const file = openSync(log, 'a', 0o600)
  const stdio = ['ignore' as const, file, file]
  const child = spawn(program, args, { ...account, cwd: folder, stdio, detached: true })
  closeSync(file)
  return child
}

export function tailOf(log: string): string {
  return readFileSync(log, 'utf8').slice(-2000)
}
