import { appendFileSync, existsSync, readFileSync } from 'node:fs'

import type { ClaimedLease, Settlement } from '@mayfly/core'
import { z } from 'zod'

import type { Ports } from './faulty-ports.ts'

export interface PauseScale {
  /** How much faster time passes between two attempts. 1: as it does. */
  readonly factor: number
  readonly planFile: string
}

const pauseSchema = z.strictObject({ leaseId: z.string(), seconds: z.number() })

/**
 * Lets the product walk its own schedule of retries in less time: it chooses each pause for itself,
 * the pause is written down, and only the instant that the database gets is nearer by the factor.
 */
export function withScaledPauses(ports: Ports, { factor, planFile }: PauseScale): Ports {
  if (factor === 1) return ports
  const { leases } = ports
  const scaled = (claimed: ClaimedLease, settlement: Settlement): Settlement => {
    if (settlement.to !== 'revocation_failed' || settlement.irrevocable) return settlement
    const from = claimed.now.getTime()
    const milliseconds = settlement.retryAt.getTime() - from
    const pause = { leaseId: claimed.lease.id, seconds: milliseconds / 1000 }
    appendFileSync(pausesFile(planFile), `${JSON.stringify(pause)}\n`)
    return { ...settlement, retryAt: new Date(from + milliseconds / factor) }
  }
  return {
    ...ports,
    leases: {
      ...leases,
      settle: (claimed, settlement) => leases.settle(claimed, scaled(claimed, settlement)),
    },
  }
}

/** From attempt to attempt at each lease, in seconds of the product's own schedule. */
export function pausesOf(planFile: string): ReadonlyMap<string, readonly number[]> {
  const file = pausesFile(planFile)
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : []
  const pauses = new Map<string, readonly number[]>()
  for (const line of lines) {
    const { leaseId, seconds } = pauseSchema.parse(JSON.parse(line))
    pauses.set(leaseId, [...(pauses.get(leaseId) ?? []), seconds])
  }
  return pauses
}

function pausesFile(planFile: string): string {
  return `${planFile}.pauses`
}
