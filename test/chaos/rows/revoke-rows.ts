import type { OpenedLease, OpenedTask } from '@mayfly/protocol'

import { ERRAND_NAMES } from '../../support/errands.ts'
import { CREDENTIALS_OF_ALL, mustIssueAll, openTask } from '../drive.ts'
import type { FaultPoint } from '../steps.ts'
import type { PlannedFault, Row, Stage } from '../row.ts'
import { LONG_TTL_SECONDS, SHORT_TTL_SECONDS, VISIBILITY_MS } from '../settings.ts'

const COUNT = ERRAND_NAMES.length

/** The steps of a revocation, and how many of four leases come to each: only AWS needs a second look. */
const STEPS: readonly (readonly [FaultPoint, number])[] = [
  ['leases.claim:before', COUNT],
  ['leases.claim:after', COUNT],
  ['provider.revoke:before', COUNT],
  ['provider.revoke:after', COUNT],
  ['provider.verifyDead:before', COUNT],
  ['provider.verifyDead:after', COUNT],
  ['leases.settle:before', COUNT],
  ['leases.settle:after', COUNT],
  ['queue.schedule:before', 1],
  ['queue.schedule:after', 1],
]

/** Only alarms set the next alarm, so the sweeper must not be there first. */
const NO_SWEEPER = { SWEEP_INTERVAL_MS: '60000' }

const issues = CREDENTIALS_OF_ALL

const byWorker: readonly Row[] = STEPS.flatMap(([point, arrivals]) => [
  {
    ...{ group: 'worker killed', name: `revoke, ${point}`, issues },
    run: (stage: Stage) =>
      closeWith(stage, { app: 'worker', point, action: { kind: 'kill', arrivals } }),
  },
  {
    ...{ group: 'dropped in worker', name: `revoke, ${point}`, issues },
    run: (stage: Stage) =>
      closeWith(stage, { app: 'worker', point, action: { kind: 'drop' }, times: arrivals }),
  },
])

/** Longer than a claim lasts: another attempt begins before the sleeper wakes up. */
const SLEEP_MS = VISIBILITY_MS + 2_000

const sleeping: readonly Row[] = (
  ['leases.claim:after', 'provider.revoke:after', 'leases.settle:before'] as const
).map((point) => ({
  ...{ group: 'worker sleeps', name: `revoke, ${point}, ${String(SLEEP_MS / 1000)} s`, issues },
  run: (stage: Stage) =>
    closeWith(stage, {
      ...{ app: 'worker', point, times: COUNT },
      action: { kind: 'hang', milliseconds: SLEEP_MS },
    }),
}))

const overdue: readonly Row[] = (['tasks.close:before', 'tasks.close:after'] as const).map(
  (point) => ({
    ...{ group: 'worker killed', name: `overdue task, ${point}`, issues },
    run: async (stage: Stage) => {
      const task = await openTask(stage.stack, { ttlSeconds: 6 })
      await mustIssueAll(stage.stack, task, LONG_TTL_SECONDS)
      stage.arm({ app: 'worker', point, action: { kind: 'kill', arrivals: 1 } })
      await stage.untilFired()
    },
  }),
)

/** The holder revokes each lease; the worker stands still, so that the broker does it. */
const byHolder: readonly Row[] = [
  ['leases.end:before', COUNT] as const,
  ['leases.end:after', COUNT] as const,
  ...STEPS,
].map(([point, arrivals]) => ({
  ...{ group: 'broker killed', name: `revoke, ${point}`, issues },
  run: (stage: Stage) => revokeWith(stage, { point, arrivals }),
}))

const byClosing: readonly Row[] = (
  [
    ['tasks.close:before', 1],
    ['tasks.close:after', 1],
    ['queue.schedule:before', COUNT],
    ['queue.schedule:after', COUNT],
  ] as const
).map(([point, arrivals]) => ({
  ...{ group: 'broker killed', name: `close task, ${point}`, issues },
  run: async (stage: Stage) => {
    const { task } = await issued(stage, SHORT_TTL_SECONDS + 3)
    stage.arm({ app: 'broker', point, action: { kind: 'kill', arrivals } })
    const closing = close(stage, task)
    await stage.untilFired()
    await closing
  },
}))

export const revokeRows: readonly Row[] = [
  ...byWorker,
  ...sleeping,
  ...overdue,
  ...byHolder,
  ...byClosing,
]

interface Issued {
  readonly task: OpenedTask
  readonly leases: readonly OpenedLease[]
}

async function issued({ stack }: Stage, ttlSeconds: number): Promise<Issued> {
  const task = await openTask(stack)
  return { task, leases: await mustIssueAll(stack, task, ttlSeconds) }
}

/** The broker may die over it. */
function close({ stack: { client } }: Stage, { task, taskToken }: OpenedTask): Promise<unknown> {
  return client.closeTask(task.id, { token: taskToken }).catch(() => undefined)
}

async function closeWith(stage: Stage, fault: PlannedFault): Promise<void> {
  const { worker } = stage.stack
  const alone = fault.point.startsWith('queue.')
  if (alone) await worker.replace(NO_SWEEPER)
  try {
    const { task } = await issued(stage, LONG_TTL_SECONDS)
    stage.arm(fault)
    await close(stage, task)
    await stage.untilFired()
  } finally {
    if (alone) await worker.replace()
  }
}

async function revokeWith(
  stage: Stage,
  { point, arrivals }: { readonly point: FaultPoint; readonly arrivals: number },
): Promise<void> {
  const { client, worker } = stage.stack
  const { task, leases } = await issued(stage, SHORT_TTL_SECONDS + 3)
  worker.signal('SIGSTOP')
  try {
    stage.arm({ app: 'broker', point, action: { kind: 'kill', arrivals } })
    const revoking = leases.map(({ lease }) =>
      client.revokeLease(lease.id, { token: task.taskToken }).catch(() => undefined),
    )
    await stage.untilFired()
    await Promise.all(revoking)
  } finally {
    worker.signal('SIGCONT')
  }
}
