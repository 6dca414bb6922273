import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Of `/proc`: user and system time are counted in hundredths of a second. */
const TICKS_PER_SECOND = 100

/**
 * Processor time that a process and its direct children, dead ones too, have used, in seconds. Unlike throughput it
 * hardly depends on what else the machine is doing. `NaN` where there is no `/proc`.
 */
export function cpuSeconds(pid: number): number {
  try {
    const family = [pid, ...childrenOf(pid)]
    const ticks = family.reduce((sum, member) => sum + ticksOf(member), reapedTicksOf(pid))
    return ticks / TICKS_PER_SECOND
  } catch {
    return NaN
  }
}

/** Of the server whose cluster is in the folder. */
export function postmasterPid(dataDirectory: string): number {
  const [pid] = readFileSync(join(dataDirectory, 'data', 'postmaster.pid'), 'utf8').split('\n')
  return Number(pid)
}

function childrenOf(pid: number): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((candidate) => Number(statOf(candidate)?.[1]) === pid)
}

function ticksOf(pid: number): number {
  const fields = statOf(pid)
  return fields ? Number(fields[11]) + Number(fields[12]) : 0
}

/** Of children that have ended. */
function reapedTicksOf(pid: number): number {
  const fields = statOf(pid)
  return fields ? Number(fields[13]) + Number(fields[14]) : 0
}

/** The fields after the command's name, which may hold spaces: state, parent, … */
function statOf(pid: number): readonly string[] | null {
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return null
  }
}
