import type { OpenedTask } from '@mayfly/protocol'

import { ERRAND_NAMES } from '../../support/errands.ts'
import { CREDENTIALS_OF_ALL, issueAll, mustIssueAll, openTask } from '../drive.ts'
import { containmentsOf, containTask, isFrozen, unlessBroken } from '../incidents.ts'
import { promised, type PlannedFault, type Row, type Stage } from '../row.ts'
import { LONG_TTL_SECONDS } from '../settings.ts'
import type { FaultPoint } from '../steps.ts'

const COUNT = ERRAND_NAMES.length

const issues = CREDENTIALS_OF_ALL

const KILL = { kind: 'kill', arrivals: 1 } as const
const DROP = { kind: 'drop' } as const

const BEGINNINGS: readonly FaultPoint[] = ['containments.begin:before', 'containments.begin:after']
const COLLECTIONS: readonly FaultPoint[] = [
  'containments.collect:before',
  'containments.collect:after',
]
const ENDINGS: readonly FaultPoint[] = ['containments.endSome:before', 'containments.endSome:after']

/** Whoever asked hears nothing, and what was begun is finished without being asked again. */
const inBroker: readonly Row[] = [...BEGINNINGS, ...COLLECTIONS, ...ENDINGS].flatMap((point) => [
  {
    ...{ group: 'broker killed', name: `contain, ${point}`, issues },
    run: (stage: Stage) => contained(stage, [{ app: 'broker', point, action: KILL }]),
  },
  {
    ...{ group: 'dropped in broker', name: `contain, ${point}`, issues },
    run: (stage: Stage) => contained(stage, [{ app: 'broker', point, action: DROP }]),
  },
])

/** The broker fails at the step, so that a worker comes to it, and fails there too. */
const inWorker: readonly Row[] = [...COLLECTIONS, ...ENDINGS].flatMap((point) => {
  const [step] = point.split(':')
  // As the worker's own point, so that nothing of the step is done when it gets there.
  const left: PlannedFault = {
    ...{ app: 'broker', action: DROP },
    point:
      step === 'containments.collect'
        ? 'containments.collect:before'
        : 'containments.endSome:before',
  }
  return [
    {
      ...{ group: 'worker killed', name: `contain, ${point}`, issues },
      run: (stage: Stage) => contained(stage, [left, { app: 'worker', point, action: KILL }]),
    },
    {
      ...{ group: 'dropped in worker', name: `contain, ${point}`, issues },
      run: (stage: Stage) => contained(stage, [left, { app: 'worker', point, action: DROP }]),
    },
  ]
})

const midMint: Row = {
  ...{ group: 'broker killed', name: 'contain, containments.begin:after, in the middle of mints' },
  ...{ issues, mayBeIrrevocable: true },
  run: async (stage) => {
    const { stack } = stage
    const task = await openTask(stack)
    stage.arm(
      { app: 'broker', point: 'containments.begin:after', action: KILL },
      {
        ...{ app: 'broker', point: 'provider.mint:after', times: COUNT },
        action: { kind: 'hang', milliseconds: 20_000 },
      },
    )
    const asking = issueAll(stack, task, LONG_TTL_SECONDS)
    await stage.untilFired(1)
    const containing = unlessBroken(containTask(stack, task.task.id))
    await stage.untilFired(0)
    await Promise.all([asking, containing])
    stage.afterwards(() => mustHold(stage, task))
  },
}

export const containmentRows: readonly Row[] = [...inBroker, ...inWorker, midMint]

async function contained(stage: Stage, faults: readonly PlannedFault[]): Promise<void> {
  const { stack } = stage
  const task = await openTask(stack)
  const taskId = task.task.id
  await mustIssueAll(stack, task, LONG_TTL_SECONDS)
  stage.arm(...faults)
  const answered = await unlessBroken(containTask(stack, taskId))
  await stage.untilFired()
  await stack.broker.untilReady()
  if (faults[0]?.point === 'containments.begin:before') {
    // Nothing was begun, so nothing may look as if it were; and asking again is enough.
    const before = await containmentsOf(stack, taskId)
    if (before.length > 0) throw new Error('a containment that was never begun')
    stack.plan([])
    stage.mark()
    await containTask(stack, taskId)
  }
  stage.afterwards(async () => {
    await mustHold(stage, task)
    await mustBeFinished(stage, taskId)
    const again = await containTask(stack, taskId)
    const [first] = await containmentsOf(stack, taskId)
    if (again.id !== first?.id || (answered && answered.id !== again.id))
      throw new Error('asked again, it is another containment')
  })
}

/** One containment of all that was there, and nothing is minted beside it. */
async function mustHold({ stack }: Stage, task: OpenedTask): Promise<void> {
  const found = await containmentsOf(stack, task.task.id)
  const [{ total, frozen } = { total: 0, frozen: false }] = found
  if (found.length !== 1 || total !== COUNT || !frozen)
    throw new Error(
      `${String(found.length)} containments of ${String(total)} leases, not one of all`,
    )
  if (!(await isFrozen(stack, task))) throw new Error('something was minted beside a containment')
}

async function mustBeFinished({ stack }: Stage, taskId: string): Promise<void> {
  await promised('the containment is finished, with a proof for each lease', async () => {
    const [one] = await containmentsOf(stack, taskId)
    return one?.state === 'finished' && one.counts.revoked === COUNT
  })
}
