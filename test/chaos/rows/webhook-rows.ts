import { CREDENTIALS_OF_ALL, mustIssueAll, openTask } from '../drive.ts'
import { NotSet, type PlannedFault, type Row, type Stage } from '../row.ts'
import { SHORT_TTL_SECONDS } from '../settings.ts'
import type { FaultPoint } from '../steps.ts'
import { mustBeTold } from '../witness.ts'

const issues = CREDENTIALS_OF_ALL

const STEPS: readonly FaultPoint[] = [
  'webhooks.claim:before',
  'webhooks.claim:after',
  'webhooks.send:before',
  'webhooks.send:after',
  'webhooks.settle:before',
  'webhooks.settle:after',
]

const KILL = { kind: 'kill', arrivals: 1 } as const
const DROP = { kind: 'drop' } as const

/** Longer than the claim on a webhook lasts: an attempt of a second, and twenty. */
const SLEEP_MS = 24_000

/** A delivery breaks off, while leases live and die. The webhook waits for the claim to end. */
export const webhookRows: readonly Row[] = [
  ...STEPS.map((point) => row('worker killed', point, KILL)),
  ...STEPS.map((point) => row('dropped in worker', point, DROP)),
  {
    ...{ group: 'worker sleeps', name: 'webhook, webhooks.send:after, while another takes over' },
    issues,
    run: async (stage) => {
      const second = await stage.stack.startWorker('second worker')
      try {
        const action = { kind: 'hang', milliseconds: SLEEP_MS } as const
        await told(stage, { app: 'worker', point: 'webhooks.send:after', action })
        await mustBeTold(stage.stack)
        if (repeated(stage) === 0) throw new NotSet('the sleeper was not taken for dead')
      } finally {
        await second.stop()
      }
    },
  },
]

function row(group: string, point: FaultPoint, action: PlannedFault['action']): Row {
  return {
    ...{ group, name: `webhook, ${point}`, issues },
    run: (stage) => told(stage, { app: 'worker', point, action }),
  }
}

async function told(stage: Stage, fault: PlannedFault): Promise<void> {
  const { stack } = stage
  stage.arm(fault)
  await mustIssueAll(stack, await openTask(stack), SHORT_TTL_SECONDS)
  await stage.untilFired()
  // Once is enough: it would come to every event anew.
  stack.plan([])
  stage.afterwards(() => mustBeTold(stack))
}

/** Requests beyond the first for an event. */
function repeated({ stack: { witness } }: Stage): number {
  return witness.received.length - new Set(witness.received.map(({ id }) => id)).size
}
