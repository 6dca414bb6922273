import type { AwsStandin, GithubStandin, VaultStandin } from '@mayfly/standins'

import { ERRAND_NAMES } from '../../support/errands.ts'
import { CREDENTIALS_OF_ALL as ALL, issueAll, openTask } from '../drive.ts'
import type { FaultPoint } from '../steps.ts'
import type { PlannedFault, Row, Stage } from '../row.ts'
import { MINT_DEADLINE_MS, SHORT_TTL_SECONDS } from '../settings.ts'

type Facts = Pick<Row, 'issues' | 'mayBeIrrevocable'>

const NOTHING: Facts = { issues: 0, mayBeIrrevocable: true }
const LOST: Facts = { issues: ALL, mayBeIrrevocable: true }
const KEPT: Facts = { issues: ALL }
/** Depends on how far the mint had come, which nobody waits for. */
const SOME: Facts = { mayBeIrrevocable: true }

const COUNT = ERRAND_NAMES.length

/** The steps of an ordinary issue, in their order, and what each of them leaves behind. */
const STEPS: readonly (readonly [FaultPoint, Facts])[] = [
  ['leases.open:before', { issues: 0 }],
  ['leases.open:after', NOTHING],
  ['queue.schedule:before', SOME],
  ['queue.schedule:after', SOME],
  ['provider.mint:before', NOTHING],
  ['provider.mint:after', LOST],
  ['leases.activate:before', LOST],
  ['leases.activate:after', KEPT],
  ['leases.delivered:before', KEPT],
  ['leases.delivered:after', KEPT],
]

/** A broker dies at each step of an issue, with one lease of every kind standing there. */
const killed: readonly Row[] = [
  ...STEPS.map(([point, facts]) => ({
    ...{ group: 'broker killed', name: `issue, ${point}`, ...facts },
    run: (stage: Stage) => killAt(stage, point),
  })),
  {
    ...{ group: 'broker killed', name: 'issue, after the delivery was stored', ...KEPT },
    run: (stage) => killAt(stage, 'leases.delivered:after', { afterMs: 300 }),
  },
  ...(['leases.fail:before', 'leases.fail:after'] as const).map((point) => ({
    ...{ group: 'broker killed', name: `refused mint, ${point}`, ...NOTHING },
    run: async (stage: Stage) => {
      refuseMints(stage.stack.standins)
      await killAt(stage, point)
    },
  })),
  ...(['leases.end:before', 'leases.end:after'] as const).map((point) => ({
    ...{ group: 'broker killed', name: `unconfirmed mint, ${point}`, ...LOST },
    run: (stage: Stage) => killAt(stage, point, {}, [drop('provider.mint:after')]),
  })),
  ...(['leases.surrender:before', 'leases.surrender:after'] as const).map((point) => ({
    ...{ group: 'broker killed', name: `activation lost, ${point}` },
    ...(point === 'leases.surrender:before' ? LOST : KEPT),
    run: (stage: Stage) => killAt(stage, point, {}, [drop('leases.activate:before')]),
  })),
]

/** The same steps fail, or their answers are lost, and the broker lives on. */
const dropped: readonly Row[] = [
  ...STEPS.map(([point, facts]) => ({
    group: 'dropped in broker',
    name: `issue, ${point}`,
    ...facts,
    ...(point.startsWith('queue.') ? KEPT : {}),
    // The token is still in memory, so even GitHub's is killed.
    ...(point === 'leases.activate:before' ? KEPT : {}),
    run: async (stage: Stage) => {
      stage.arm({ ...drop(point), times: COUNT })
      await issueAll(stage.stack, await openTask(stage.stack), SHORT_TTL_SECONDS)
      await stage.untilFired()
    },
  })),
  {
    group: 'dropped in broker',
    name: 'activation and surrender, before',
    ...LOST,
    run: async (stage) => {
      stage.arm(drop('leases.activate:before'), {
        ...drop('leases.surrender:before'),
        times: COUNT,
      })
      await issueAll(stage.stack, await openTask(stage.stack), SHORT_TTL_SECONDS)
      await stage.untilFired()
    },
  },
]

/** The broker sleeps at a step until others have taken the lease for lost, and then goes on. */
const hung: readonly Row[] = (
  [
    ['leases.open:after', MINT_DEADLINE_MS + 2_000, NOTHING],
    ['provider.mint:before', MINT_DEADLINE_MS + 2_000, SOME],
    ['provider.mint:after', MINT_DEADLINE_MS + 2_000, KEPT],
    ['leases.activate:after', 5_000, KEPT],
    ['leases.delivered:before', 5_000, KEPT],
  ] as const
).map(([point, milliseconds, facts]) => ({
  group: 'broker sleeps',
  name: `issue, ${point}, ${String(milliseconds / 1000)} s`,
  ...facts,
  run: async (stage: Stage) => {
    stage.arm({
      ...{ app: 'broker', point, times: COUNT },
      action: { kind: 'hang', milliseconds },
    })
    await issueAll(stage.stack, await openTask(stage.stack), SHORT_TTL_SECONDS)
    await stage.untilFired()
  },
}))

export const issueRows: readonly Row[] = [...killed, ...dropped, ...hung]

async function killAt(
  stage: Stage,
  point: FaultPoint,
  more: { readonly afterMs?: number } = {},
  first: readonly PlannedFault[] = [],
): Promise<void> {
  const task = await openTask(stage.stack)
  stage.arm(...first, {
    ...{ app: 'broker', point },
    action: { kind: 'kill', arrivals: COUNT, ...more },
  })
  const asking = issueAll(stage.stack, task, SHORT_TTL_SECONDS)
  await stage.untilFired()
  await asking
}

function drop(point: FaultPoint): PlannedFault {
  return { app: 'broker', point, action: { kind: 'drop' } }
}

interface Standins {
  readonly github: GithubStandin
  readonly aws: AwsStandin
  readonly vault: VaultStandin
}

function refuseMints({ github, aws, vault }: Standins): void {
  github.faults.next({ kind: 'status', status: 422 }, 'mint')
  aws.faults.next({ kind: 'error', status: 403, code: 'AccessDenied', operation: 'AssumeRole' })
  vault.fault({ path: 'auth/token/create', times: 2, fault: { kind: 'status', status: 400 } })
}
