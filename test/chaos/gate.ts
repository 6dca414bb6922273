import { setTimeout as pause } from 'node:timers/promises'

import { firings, readPlan, recordFiring, type Fault } from './fault-plan.ts'

/** Where a process under test stops, fails or dies, as the plan says. */
export interface Gate {
  /** `key` tells one lease's passage from another's. */
  at(point: string, key: string): Promise<void>
}

/** The kill does not wait for arrivals that never come; the runner then finds too few. */
const BARRIER_MS = 6_000

export function makeGate(app: Fault['app'], planFile: string): Gate {
  const arrived = new Map<string, Set<string>>()
  const passed = new Set<string>()

  function kill(fault: Fault, key: string): never {
    const arrivals = arrived.get(fault.id)?.size ?? 0
    recordFiring(planFile, { id: fault.id, key, what: 'killed', arrivals, at: Date.now() })
    process.kill(process.pid, 'SIGKILL')
    // SIGKILL to oneself takes effect before the next statement does anything that matters.
    throw new Error('killed')
  }

  async function waitForDeath(fault: Fault, key: string): Promise<void> {
    if (fault.action.kind !== 'kill') return
    const { arrivals, afterMs } = fault.action
    const here = arrived.get(fault.id) ?? new Set()
    arrived.set(fault.id, here.add(key))
    if (here.size === 1) setTimeout(() => kill(fault, key), BARRIER_MS)
    if (afterMs !== undefined) {
      if (here.size >= arrivals) setTimeout(() => kill(fault, key), afterMs)
      return
    }
    if (here.size >= arrivals) kill(fault, key)
    await new Promise(() => undefined)
  }

  async function suffer(fault: Fault, key: string): Promise<void> {
    if (fault.action.kind === 'kill') return waitForDeath(fault, key)
    if (passed.has(`${fault.id} ${key}`)) return
    passed.add(`${fault.id} ${key}`)
    const firing = { id: fault.id, key, arrivals: 1, at: Date.now() }
    if (fault.action.kind === 'hang') {
      recordFiring(planFile, { ...firing, what: 'hung' })
      return pause(fault.action.milliseconds)
    }
    recordFiring(planFile, { ...firing, what: 'dropped' })
    throw new Error(`dropped at ${fault.point}`)
  }

  return {
    async at(point, key) {
      const faults = readPlan(planFile).filter((one) => one.app === app && one.point === point)
      if (faults.length === 0) return
      const done = firings(planFile)
      for (const fault of faults) {
        const over = done.some(
          ({ id, what, key: by }) => id === fault.id && (what === 'killed' || by === key),
        )
        if (!over) await suffer(fault, key)
      }
    },
  }
}
