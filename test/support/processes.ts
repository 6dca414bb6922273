import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'

/** Whether a process runs; one that ended and was not waited for does not. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return process.platform !== 'linux' || !/^State:\s+Z/m.test(statusOf(pid))
  } catch {
    return false
  }
}

export function childrenOf(parent: number): readonly number[] {
  return parents().flatMap(([pid, ppid]) => (ppid === parent ? [pid] : []))
}

/** Children, their children, and so on. */
export function descendantsOf(ancestor: number): readonly number[] {
  const all = parents()
  const below = (parent: number): readonly number[] =>
    all.flatMap(([pid, ppid]) => (ppid === parent ? [pid, ...below(pid)] : []))
  return below(ancestor)
}

type PidAndParent = readonly [pid: number, ppid: number]

function parents(): readonly PidAndParent[] {
  if (process.platform !== 'linux') return parentsByPs()
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => {
      const ppid = /^PPid:\s+(\d+)$/m.exec(statusOf(Number(name)))?.[1]
      return [Number(name), Number(ppid ?? 0)]
    })
}

function parentsByPs(): readonly PidAndParent[] {
  return execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => {
      const [pid = 0, ppid = 0] = line.trim().split(/\s+/).map(Number)
      return [pid, ppid]
    })
}

function statusOf(pid: number): string {
  const file = `/proc/${String(pid)}/status`
  try {
    return existsSync(file) ? readFileSync(file, 'utf8') : GONE
  } catch {
    return GONE
  }
}

const GONE = 'State:\tZ'
