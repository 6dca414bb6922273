import type { Containment, ContainmentStore } from './containment.ts'
import { MayflyError } from './errors.ts'
import type { Idempotency } from './idempotency.ts'
import type { NewId } from './new-id.ts'
import type { Report } from './report.ts'
import { normaliseSelector, type Selector } from './selector.ts'

export interface ContainDeps {
  readonly containments: Pick<
    ContainmentStore,
    'begin' | 'collect' | 'endSome' | 'find' | 'unended'
  >
  readonly newId: NewId
  readonly report: Report
  /** Ended in one statement. */
  readonly batchSize: number
}

export interface ContainInput {
  readonly selector: Selector
  readonly reason: string
  readonly incident: string
  /** `<issuer>#<sub>` of the operator. */
  readonly by: string
  readonly freezeUntil: Date | null
  readonly idempotency: Idempotency | null
}

export type Contain = (
  input: ContainInput,
) => Promise<{ readonly containment: Containment; readonly started: boolean }>

/**
 * Stops issuing first, in a commit of its own, and then writes down which leases are to die. Ending
 * them goes on by itself ({@link makeEndContained}), here and in any worker.
 */
export function makeContain(deps: ContainDeps, end: EndContained): Contain {
  const { containments, newId } = deps
  return async ({ selector, ...input }) => {
    const { id, started } = await containments.begin({
      ...input,
      id: newId('cnt'),
      freezeId: newId('frz'),
      selector: normaliseSelector(selector),
    })
    await containments.collect(id)
    const containment = await containments.find(id)
    if (!containment) throw new MayflyError('containment_unknown', `no containment ${id}`)
    if (containment.state === 'ending') {
      end(id).catch((error: unknown) => {
        deps.report('a containment was left to the workers', error, { containmentId: id })
      })
    }
    return { containment, started }
  }
}

/** Ends what is left to end. Any number of processes may do so at once, and may die in between. */
export type EndContained = (containmentId: string) => Promise<number>

export function makeEndContained(
  deps: Pick<ContainDeps, 'containments' | 'batchSize'>,
): EndContained {
  return async (containmentId) => {
    await deps.containments.collect(containmentId)
    let ended = 0
    for (;;) {
      const count = await deps.containments.endSome(containmentId, deps.batchSize)
      if (count === 0) return ended
      ended += count
    }
  }
}

/** Goes on with every containment that somebody left unended. Returns how many leases that ended. */
export function makeResumeContainments(
  deps: Pick<ContainDeps, 'containments' | 'report'>,
  end: EndContained,
): () => Promise<number> {
  return async () => {
    let ended = 0
    for (const containmentId of await deps.containments.unended()) {
      try {
        ended += await end(containmentId)
      } catch (error) {
        // One that cannot be ended must not keep the others alive.
        deps.report('a containment could not be gone on with', error, { containmentId })
      }
    }
    return ended
  }
}
