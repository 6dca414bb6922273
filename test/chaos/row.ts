import { setTimeout as pause } from 'node:timers/promises'

import type { ChaosStack } from './chaos-stack.ts'
import type { Fault, Firing } from './fault-plan.ts'
import type { FaultPoint } from './steps.ts'

/**
 * The row did not come about: a busy machine let a mint time out before the fault, or not every lease
 * came to the point in time. It is tried again; what breaks a promise never is.
 */
export class NotSet extends Error {
  override readonly name = 'NotSet'
}

/** One line of the matrix: something goes wrong at one step, and nothing may stay alive. */
export interface Row {
  readonly group: string
  readonly name: string
  /** Where jobs must be for this row. Any queue will do unless told. */
  readonly queue?: 'redis' | 'postgres'
  /** How many credentials the providers must have issued, where that is certain. */
  readonly issues?: number
  /** GitHub's answer can be lost for good: the lease may be `irrevocable`. */
  readonly mayBeIrrevocable?: boolean
  readonly boundMs?: number
  /** Sets it in motion and resolves when everything is back that went away. */
  run(stage: Stage): Promise<void>
}

export interface Stage {
  readonly stack: ChaosStack
  /** From here on the bound counts, unless a fault of the plan tells its own time. */
  mark(): void
  /** Arms faults for this row. */
  arm(...faults: readonly PlannedFault[]): void
  /** Resolves when the fault (the last one armed, unless told) has fired as often as it should. */
  untilFired(index?: number): Promise<void>
  /** Asked when the row is over. What it throws is a broken promise. */
  afterwards(check: () => Promise<void>): void
  /** Waits for something that the row needs to be so. */
  until(
    what: string,
    condition: () => boolean | Promise<boolean>,
    deadlineMs?: number,
  ): Promise<void>
}

export interface PlannedFault {
  readonly app: Fault['app']
  readonly point: FaultPoint
  readonly action: Fault['action']
  /** How many different leases must have met it, where it does not kill. One unless told. */
  readonly times?: number
}

export interface Staged extends Stage {
  readonly checks: () => readonly (() => Promise<void>)[]
  readonly startedAt: () => number
}

const FIRING_MS = 30_000

let staged = 0

/** What the product owes within the time. Not keeping it breaks the row. */
export async function promised(
  what: string,
  condition: () => boolean | Promise<boolean>,
  deadlineMs = FIRING_MS,
): Promise<void> {
  const deadline = Date.now() + deadlineMs
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not so: ${what}`)
    await pause(50)
  }
}

export function makeStage(stack: ChaosStack): Staged {
  let armed: readonly (PlannedFault & { readonly id: string })[] = []
  let markedAt = Date.now()
  const checks: (() => Promise<void>)[] = []

  async function until(
    what: string,
    condition: () => boolean | Promise<boolean>,
    deadlineMs = FIRING_MS,
  ): Promise<void> {
    const deadline = Date.now() + deadlineMs
    while (!(await condition())) {
      if (Date.now() > deadline) throw new NotSet(`never happened: ${what}`)
      await pause(50)
    }
  }

  return {
    stack,
    until,
    startedAt: () => markedAt,
    checks: () => checks,
    afterwards(check) {
      checks.push(check)
    },
    mark() {
      markedAt = Date.now()
    },
    arm(...faults) {
      staged += 1
      armed = faults.map((fault, index) => ({ ...fault, id: `${String(staged)}.${String(index)}` }))
      stack.plan(armed.map(({ id, app, point, action }) => ({ id, app, point, action })))
    },
    async untilFired(index = armed.length - 1) {
      const fault = armed[index]
      if (!fault) throw new TypeError('no such fault')
      const { id, point, action } = fault
      await until(`${action.kind} at ${point}`, () => hasFired(fault, stack.fired(id)))
      const first = stack.fired(id)[0]
      markedAt = first?.at ?? Date.now()
      const arrivals = first?.arrivals ?? 0
      if (action.kind === 'kill' && arrivals < action.arrivals)
        throw new NotSet(`only ${String(arrivals)} leases reached ${point}`)
    },
  }
}

function hasFired({ action, times = 1 }: PlannedFault, firings: readonly Firing[]): boolean {
  return action.kind === 'kill'
    ? firings.some(({ what }) => what === 'killed')
    : firings.length >= times
}
