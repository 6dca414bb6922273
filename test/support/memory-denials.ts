import type { Clock, DeniedSession, DeniedSessions, Denial } from '@mayfly/core'

interface Row {
  readonly leaseId: string
  readonly sealedAt: Date
  readonly pending: boolean
  /** Null: live. */
  readonly endedAt: Date | null
}

/** The books of denied sessions in memory, for one role, on a clock of the test's. */
export interface MemoryDenials extends DeniedSessions {
  /** A lease that nobody has ended. Leases end an hour from now unless told. */
  open(leaseId: string, more?: Partial<Omit<Row, 'leaseId'>>): void
  /** A lease that somebody has ended. */
  end(leaseId: string, more?: Partial<Omit<Row, 'leaseId'>>): void
  readonly ended: readonly string[]
  readonly repairs: readonly { policy: string; missing: readonly string[] }[]
  denialOf(leaseId: string): Denial | null
}

export function makeMemoryDenials(clock: Clock): MemoryDenials {
  const rows = new Map<string, Row>()
  const denials = new Map<string, Denial>()
  const ended: string[] = []
  const repairs: { policy: string; missing: readonly string[] }[] = []
  let turn: Promise<unknown> = Promise.resolve()

  const open: MemoryDenials['open'] = (leaseId, more = {}) => {
    const sealedAt = rows.get(leaseId)?.sealedAt ?? new Date(clock.now().getTime() + 3_600_000)
    rows.set(leaseId, { leaseId, sealedAt, pending: false, endedAt: null, ...more })
  }
  const sessionOf = ({ leaseId, sealedAt, pending }: Row): DeniedSession => ({
    ...{ leaseId, sealedAt, pending },
    denial: denials.get(leaseId) ?? null,
  })
  const listed = ({ leaseId, endedAt, sealedAt }: Row): boolean =>
    sealedAt > clock.now() && (denials.has(leaseId) || (endedAt !== null && endedAt < sealedAt))

  return {
    open,
    end: (leaseId, more) => {
      open(leaseId, { endedAt: clock.now(), ...more })
    },
    ended,
    repairs,
    denialOf: (leaseId) => denials.get(leaseId) ?? null,
    find(leaseId) {
      const row = rows.get(leaseId)
      return Promise.resolve(row ? sessionOf(row) : null)
    },
    forget(leaseId, since) {
      if (denials.get(leaseId)?.since.getTime() === since.getTime()) denials.delete(leaseId)
      return Promise.resolve()
    },
    underRoleLock(_roleArn, work) {
      const books = {
        forget(leaseIds: readonly string[]) {
          for (const leaseId of leaseIds) denials.delete(leaseId)
          return Promise.resolve()
        },
        record({
          policy,
          cutOff,
          leaseIds,
        }: Omit<Denial, 'since'> & { leaseIds: readonly string[] }) {
          for (const leaseId of leaseIds) {
            if (rows.has(leaseId)) denials.set(leaseId, { policy, cutOff, since: clock.now() })
          }
          return Promise.resolve()
        },
        endOpenedBefore() {
          const live = [...rows.values()].filter(({ endedAt }) => endedAt === null)
          for (const { leaseId } of live) {
            ended.push(leaseId)
            open(leaseId, { ...rows.get(leaseId), endedAt: clock.now() })
          }
          return Promise.resolve(live.map(sessionOf))
        },
        reportRepair(policy: string, missing: readonly string[]) {
          repairs.push({ policy, missing })
          return Promise.resolve()
        },
      }
      const mine = turn.then(() => {
        const read = () => {
          const sessions = [...rows.values()].filter(listed).map(sessionOf)
          return Promise.resolve({ sessions, now: clock.now() })
        }
        return work({ ...books, read })
      })
      turn = mine.catch(() => undefined)
      return mine
    },
  }
}
