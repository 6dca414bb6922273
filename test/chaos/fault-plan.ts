import { appendFileSync, existsSync, readFileSync } from 'node:fs'

import { z } from 'zod'

/** One thing that goes wrong at one step. Written by the runner, read by the broken process. */
const faultSchema = z.strictObject({
  /** Never used twice: a fault that has fired stays fired when its process comes back. */
  id: z.string(),
  app: z.enum(['broker', 'worker']),
  /** `leases.open:before`, as {@link FaultPoint} lists them. */
  point: z.string(),
  action: z.discriminatedUnion('kind', [
    /**
     * SIGKILL to itself, when so many different leases stand at the point; those that come first
     * wait there, so that one death serves several. `afterMs` lets them pass and kills a little later.
     */
    z.strictObject({
      kind: z.literal('kill'),
      arrivals: z.int().positive(),
      afterMs: z.int().positive().optional(),
    }),
    /** Stands still, then goes on as if nothing had been. */
    z.strictObject({ kind: z.literal('hang'), milliseconds: z.int().positive() }),
    /** Fails. At an `after` point, what was done stays done and only the answer is lost. */
    z.strictObject({ kind: z.literal('drop') }),
  ]),
})

export type Fault = z.output<typeof faultSchema>

const planSchema = z.array(faultSchema)

/** What has happened at a point, one line each. */
const firingSchema = z.strictObject({
  id: z.string(),
  key: z.string(),
  what: z.enum(['killed', 'hung', 'dropped']),
  arrivals: z.int(),
  at: z.number(),
})

export type Firing = z.output<typeof firingSchema>

export function readPlan(file: string): readonly Fault[] {
  return existsSync(file) ? planSchema.parse(JSON.parse(readFileSync(file, 'utf8'))) : []
}

export function firings(planFile: string): readonly Firing[] {
  const file = firedFile(planFile)
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean)
  return lines.map((line) => firingSchema.parse(JSON.parse(line)))
}

/** Written through before anything else happens: the process may have no later moment. */
export function recordFiring(planFile: string, firing: Firing): void {
  appendFileSync(firedFile(planFile), `${JSON.stringify(firing)}\n`)
}

function firedFile(planFile: string): string {
  return `${planFile}.fired`
}
