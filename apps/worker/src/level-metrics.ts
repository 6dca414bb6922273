import type { Level, Metrics } from '@mayfly/runtime'
import type { LeaseLevels, Levels } from '@mayfly/store'

type ReadLevels = () => Promise<Levels>

const PROVIDERS = ['github', 'aws', 'vault'] as const

/** How things stand in the database. Every worker tells the same: take the maximum, not the sum. */
export function exportLevels(metrics: Metrics, read: ReadLevels): void {
  exportTotals(metrics, read)
  exportByProvider(metrics, read)
  metrics.gauges(
    {
      name: 'mayfly_leases',
      help: 'Leases whose credential may work, by provider and state',
      labels: ['provider', 'state'],
    },
    async () =>
      (await read()).leases.map(({ provider, state, leases }) => ({
        labels: { provider, state },
        value: leases,
      })),
  )
}

function exportTotals(metrics: Metrics, read: ReadLevels): void {
  const total = (name: string, help: string, of: (levels: Levels) => number): void => {
    metrics.gauge({ name, help }, async () => of(await read()))
  }
  total('mayfly_overdue_leases', 'Leases that are due and held by no worker', ({ leases }) =>
    sum(leases, 'overdue'),
  )
  total(
    'mayfly_overdue_seconds',
    'How long the longest overdue lease has been waiting',
    ({ leases }) => longest(leases, 'overdueSeconds'),
  )
  total('mayfly_open_tasks', 'Tasks that are open', ({ openTasks }) => openTasks)
  total('mayfly_freezes', 'Freezes in force', ({ freezes }) => freezes)
  total(
    'mayfly_database_policy_set_version',
    'The newest policy set in the database',
    ({ policySetVersion }) => policySetVersion,
  )
}

function exportByProvider(metrics: Metrics, read: ReadLevels): void {
  const byProvider = (
    name: string,
    help: string,
    of: (leases: readonly LeaseLevels[]) => number,
  ): void => {
    metrics.gauges({ name, help, labels: ['provider'] }, async () =>
      levelsByProvider((await read()).leases, of),
    )
  }
  byProvider(
    'mayfly_unrevoked_leases',
    'Leases that have ended and whose credential is not proven dead, but for irrevocable ones',
    (leases) => sum(leases, 'unrevoked'),
  )
  byProvider('mayfly_unrevoked_seconds', 'How long ago the first of those ended', (leases) =>
    longest(leases, 'unrevokedSeconds'),
  )
  byProvider(
    'mayfly_orphaned_leases',
    'Leases whose mint was never answered: pending past the deadline, or ended as unconfirmed',
    (leases) => sum(leases, 'orphaned'),
  )
  byProvider(
    'mayfly_irrevocable_leases',
    'Leases whose credential nothing can kill before it dies by itself',
    (leases) => sum(leases, 'irrevocable'),
  )
  byProvider(
    'mayfly_irrevocable_until_timestamp_seconds',
    'When the last of those dies; zero when there is none',
    (leases) => longest(leases, 'irrevocableUntil'),
  )
}

/** A provider with nothing to tell is told as zero, so that an alert can tell zero from silence. */
function levelsByProvider(
  leases: readonly LeaseLevels[],
  of: (leases: readonly LeaseLevels[]) => number,
): readonly Level<'provider'>[] {
  return PROVIDERS.map((provider) => ({
    labels: { provider },
    value: of(leases.filter((lease) => lease.provider === provider)),
  }))
}

type Count = 'overdue' | 'unrevoked' | 'orphaned' | 'irrevocable'
type Instant = 'overdueSeconds' | 'unrevokedSeconds' | 'irrevocableUntil'

function sum(leases: readonly LeaseLevels[], field: Count): number {
  return leases.reduce((total, lease) => total + lease[field], 0)
}

function longest(leases: readonly LeaseLevels[], field: Instant): number {
  return leases.reduce((most, lease) => Math.max(most, lease[field] ?? 0), 0)
}
