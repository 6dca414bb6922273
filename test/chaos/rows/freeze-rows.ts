import type { OpenedTask } from '@mayfly/protocol'

import { CREDENTIALS_OF_ALL, mustIssueAll, openTask } from '../drive.ts'
import { freezesOf, freezeTask, isFrozen, liftFreeze, unlessBroken } from '../incidents.ts'
import type { Row, Stage } from '../row.ts'
import { SHORT_TTL_SECONDS } from '../settings.ts'
import type { FaultPoint } from '../steps.ts'

const issues = CREDENTIALS_OF_ALL

const ACTIONS = [
  ['broker killed', { kind: 'kill', arrivals: 1 }],
  ['dropped in broker', { kind: 'drop' }],
] as const

interface Step {
  readonly point: FaultPoint
  /** Whether the freeze is in force after the step broke off. */
  readonly holds: boolean
}

/** Before the step nothing is changed, after it all is, whatever the operator got to hear. */
const STEPS: readonly Step[] = [
  { point: 'freezes.create:before', holds: false },
  { point: 'freezes.create:after', holds: true },
  { point: 'freezes.lift:before', holds: true },
  { point: 'freezes.lift:after', holds: false },
]

const broken: readonly Row[] = ACTIONS.flatMap(([group, action]) =>
  STEPS.map(({ point, holds }) => ({
    ...{ group, name: `freeze, ${point}` },
    // Where it does not hold, the question whether it does is a mint.
    issues: holds ? issues : issues + 1,
    run: async (stage: Stage) => {
      const { stack } = stage
      const task = await openTask(stack)
      const taskId = task.task.id
      // Frozen or not, what is live ends on time.
      await mustIssueAll(stack, task, SHORT_TTL_SECONDS)
      const id = point.startsWith('freezes.lift') ? await freezeTask(stack, taskId) : null
      stage.arm({ app: 'broker', point, action })
      await unlessBroken<unknown>(id === null ? freezeTask(stack, taskId) : liftFreeze(stack, id))
      await stage.untilFired()
      await stack.broker.untilReady()
      stack.plan([])
      await mustBe(stage, task, holds)
    },
  })),
)

const answered: Row = {
  ...{
    group: 'PostgreSQL',
    name: 'killed, and the broker too, once a freeze was answered',
    issues,
  },
  run: async (stage) => {
    const { stack } = stage
    const task = await openTask(stack)
    await mustIssueAll(stack, task, SHORT_TTL_SECONDS)
    await freezeTask(stack, task.task.id)
    stack.broker.signal('SIGKILL')
    await stack.postgres.crash()
    stage.mark()
    await stack.postgres.restart()
    await stack.broker.untilReady()
    await mustBe(stage, task, true)
  },
}

export const freezeRows: readonly Row[] = [...broken, answered]

async function mustBe(stage: Stage, task: OpenedTask, frozen: boolean): Promise<void> {
  const { stack } = stage
  const found = await freezesOf(stack, task.task.id)
  const refused = await isFrozen(stack, task)
  if (found.length !== (frozen ? 1 : 0) || refused !== frozen)
    throw new Error(
      `${String(found.length)} freezes in force, and mints are ${refused ? '' : 'not '}refused`,
    )
}
