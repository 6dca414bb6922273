import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, readlinkSync, realpathSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

const FAST_SHUTDOWN_MS = 10_000
const IMMEDIATE_SHUTDOWN_MS = 5_000

/**
 * Clears what a killed predecessor left in `folder`: stops a server that still runs on it, and
 * removes a lock file whose process id has gone to somebody else, which would refuse every start.
 * Throws when the server belongs to a process that is alive.
 */
export async function clearLeftovers(folder: string, ownerFile: string): Promise<void> {
  const lockFile = join(folder, 'postmaster.pid')
  const pid = readNumber(lockFile)
  if (pid === null) return
  if (runsOn(pid, folder)) {
    const owner = readNumber(ownerFile)
    if (owner !== null && parentOf(pid) === owner)
      throw new Error(`process ${String(owner)} is using the PostgreSQL data in ${folder}`)
    await stopServer(pid)
  }
  rmSync(lockFile, { force: true })
}

/** Asks for a fast shutdown, then for an immediate one, then for none at all. */
export async function stopServer(pid: number): Promise<void> {
  signal(pid, 'SIGINT')
  if (await endsWithin(pid, FAST_SHUTDOWN_MS)) return
  signal(pid, 'SIGQUIT')
  if (await endsWithin(pid, IMMEDIATE_SHUTDOWN_MS)) return
  signal(pid, 'SIGKILL')
  await endsWithin(pid, IMMEDIATE_SHUTDOWN_MS)
}

async function endsWithin(pid: number, milliseconds: number): Promise<boolean> {
  const deadline = Date.now() + milliseconds
  while (isAlive(pid)) {
    if (Date.now() > deadline) return false
    await delay(10)
  }
  return true
}

function isAlive(pid: number): boolean {
  if (process.platform === 'linux') return !/^State:\s+Z/m.test(linuxStatus(pid) ?? 'State: Z')
  return signal(pid, 0)
}

/** False when there is no such process. */
function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false
    throw error
  }
}

/** A server's working directory is its data: no other process id can claim that by chance. */
function runsOn(pid: number, folder: string): boolean {
  if (process.platform === 'linux') {
    if (!isAlive(pid)) return false
    try {
      return readlinkSync(`/proc/${String(pid)}/cwd`) === realpathSync(folder)
    } catch {
      // Gone in between, or another user's: either way not a server of ours.
      return false
    }
  }
  const command = ask(pid, 'command')
  return command.includes('postgres') && command.includes(folder)
}

function parentOf(pid: number): number {
  if (process.platform !== 'linux') return Number(ask(pid, 'ppid'))
  return Number(/^PPid:\s+(\d+)$/m.exec(linuxStatus(pid) ?? '')?.[1])
}

function linuxStatus(pid: number): string | null {
  const file = `/proc/${String(pid)}/status`
  try {
    return readFileSync(file, 'utf8')
  } catch {
    // The process ended, before or while we looked.
    return null
  }
}

function ask(pid: number, column: 'command' | 'ppid'): string {
  if (process.platform === 'win32') return ''
  try {
    return execFileSync('ps', ['-o', `${column}=`, '-p', String(pid)], { encoding: 'utf8' }).trim()
  } catch {
    // `ps` fails when there is no such process.
    return ''
  }
}

function readNumber(file: string): number | null {
  if (!existsSync(file)) return null
  const number = Number.parseInt(readFileSync(file, 'utf8'), 10)
  return Number.isSafeInteger(number) && number > 0 ? number : null
}
