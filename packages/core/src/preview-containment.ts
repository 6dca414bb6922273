import type { ContainmentStore, LeaseGroup } from './containment.ts'
import type { Lease } from './lease.ts'
import { normaliseSelector, type Selector } from './selector.ts'

/** What a containment would do, before it does anything. */
export interface ContainmentPreview {
  readonly selector: Selector
  /** Of all that match, listed or not; so are the counts. */
  readonly total: number
  readonly byProvider: Readonly<Record<string, number>>
  readonly byAgent: Readonly<Record<string, number>>
  readonly byState: Readonly<Record<string, number>>
  /** All of them, unless there are more than can be shown. */
  readonly leases: readonly Lease[]
  readonly truncated: boolean
  /** Of those listed, what nothing that can be sent will kill early. */
  readonly irrevocable: readonly Stubborn[]
  /** Of ending those listed. */
  readonly sideEffects: readonly SideEffect[]
}

export interface Stubborn {
  readonly leaseId: string
  readonly until: Date
  readonly reason: string
}

/** Something that changes besides the leases themselves. */
export type SideEffect =
  /** The role gets a policy that denies these sessions; others on the role go on. */
  | { readonly kind: 'aws_deny_policy'; readonly role: string; readonly sessions: number }
  /** Tasks that go on, and whose requests for the same are refused while the freeze holds. */
  | { readonly kind: 'tasks_frozen'; readonly tasks: number }

export type PreviewContainment = (selector: Selector) => Promise<ContainmentPreview>

/** Shown at once. Beyond that nobody reads, and the counts are still exact. */
const SHOWN = 10_000

export function makePreviewContainment(
  containments: Pick<ContainmentStore, 'preview'>,
): PreviewContainment {
  return async (asked) => {
    const selector = normaliseSelector(asked)
    const { groups, leases } = await containments.preview(selector, SHOWN)
    const total = groups.reduce((sum, { count }) => sum + count, 0)
    return {
      selector,
      total,
      byProvider: summed(groups, ({ provider }) => provider),
      byAgent: summed(groups, ({ agent }) => agent),
      byState: summed(groups, ({ state }) => state),
      leases,
      truncated: leases.length < total,
      irrevocable: leases.flatMap(stubbornness),
      sideEffects: sideEffectsOf(leases),
    }
  }
}

function stubbornness(lease: Lease): readonly Stubborn[] {
  if (lease.irrevocable) {
    const { reason, diesAt } = lease.irrevocable
    return [{ leaseId: lease.id, until: diesAt, reason }]
  }
  if (!lease.targets.includes('aws:flag:non-revocable')) return []
  const reason = 'what was obtained with this session can outlive it, as its template accepts'
  return [{ leaseId: lease.id, until: lease.credentialExpiresAt, reason }]
}

function sideEffectsOf(leases: readonly Lease[]): readonly SideEffect[] {
  const prefix = 'aws:role:'
  const roles = leases.flatMap(({ provider, targets }) =>
    provider === 'aws' ? targets.filter((target) => target.startsWith(prefix)) : [],
  )
  const sessions = counted(roles, (role) => role.slice(prefix.length))
  const tasks = new Set(leases.map(({ taskId }) => taskId)).size
  return [
    ...Object.entries(sessions).map(([role, count]) => ({
      kind: 'aws_deny_policy' as const,
      role,
      sessions: count,
    })),
    ...(tasks > 0 ? [{ kind: 'tasks_frozen' as const, tasks }] : []),
  ]
}

function counted(items: readonly string[], keyOf: (item: string) => string): Counts {
  return summed(
    items.map((item) => ({ key: keyOf(item), count: 1 })),
    ({ key }) => key,
  )
}

type Counts = Readonly<Record<string, number>>

function summed<Item extends Pick<LeaseGroup, 'count'>>(
  items: readonly Item[],
  keyOf: (item: Item) => string,
): Counts {
  const counts = new Map<string, number>()
  for (const item of items) counts.set(keyOf(item), (counts.get(keyOf(item)) ?? 0) + item.count)
  return Object.fromEntries([...counts].sort(([, one], [, other]) => other - one))
}
