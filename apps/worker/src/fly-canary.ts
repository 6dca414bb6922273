import {
  MayflyError,
  type Clock,
  type Lease,
  type Providers,
  type RevocationHandle,
} from '@mayfly/core'
import { ProblemError, type Client, type CredentialText } from '@mayfly/protocol'

import type { CanaryErrand } from './canary-config.ts'

export type CanaryStage = 'open' | 'mint' | 'use' | 'revoke' | 'probe'

export interface FlyCanaryDeps {
  readonly client: Pick<Client, 'openTask' | 'closeTask' | 'openLease' | 'revokeLease' | 'getLease'>
  readonly token: () => Promise<CredentialText>
  readonly findLease: (leaseId: string) => Promise<Lease | null>
  readonly peekHandle: (leaseId: string) => Promise<RevocationHandle | null>
  readonly providers: Providers
  readonly clock: Clock
  readonly pause: (milliseconds: number) => Promise<void>
  readonly deadlineSeconds: number
  /** Bounds each question to a provider. */
  readonly providerSignal: () => AbortSignal
}

export interface CanaryFlight {
  readonly template: string
  /** Null when it did not come as far as a lease. */
  readonly provider: Lease['provider'] | null
  /** How long each stage took that was begun. */
  readonly seconds: ReadonlyMap<CanaryStage, number>
  readonly failed: CanaryFailure | null
}

export interface CanaryFailure {
  readonly stage: CanaryStage
  /** Of the error, or `dead_while_live`, `alive_after_death`, `not_revoked`, `lease_unreadable`. */
  readonly code: string
  readonly error: unknown
}

/** Between two looks at a lease that is being revoked. */
const LOOK_EVERY_MS = 500

/** Something that did not turn out as promised, though nobody reported an error. */
class BrokenPromise extends Error {
  override readonly name = 'BrokenPromise'
  readonly code: string
  constructor(code: string) {
    super(code)
    this.code = code
  }
}

/**
 * One task, and for each errand a lease: mint it, see that its credential works, revoke it, and ask
 * the provider independently of the revocation whether it is dead. All of it through the broker's
 * own API and policy, so that what an agent would run into, this runs into first.
 */
export function makeFlyCanary(
  deps: FlyCanaryDeps,
): (errands: readonly CanaryErrand[]) => Promise<readonly CanaryFlight[]> {
  return async (errands) => {
    const opening = makeStages()
    const opened = await opening
      .stage('open', async () => openTask(deps, errands))
      .catch((error: unknown) => error)
    if (!isOpened(opened)) {
      const failed = opening.failure(opened)
      const { seconds } = opening
      return errands.map(({ template }) => ({ template, provider: null, seconds, failed }))
    }
    try {
      const flights: CanaryFlight[] = []
      for (const errand of errands) flights.push(await fly(deps, errand, opened.token))
      return flights
    } finally {
      // Whatever is still live after a failure ends with it.
      await deps.client.closeTask(opened.taskId, { token: opened.token }).catch(() => undefined)
    }
  }
}

interface Opened {
  readonly taskId: string
  readonly token: CredentialText
}

function isOpened(value: unknown): value is Opened {
  return typeof value === 'object' && value !== null && 'taskId' in value
}

async function openTask(deps: FlyCanaryDeps, errands: readonly CanaryErrand[]): Promise<Opened> {
  const { task, taskToken } = await deps.client.openTask(
    {
      intent: { reason: 'canary: a credential works, and then it does not' },
      declarations: errands.map(({ template, actions, parameters }) => ({
        template,
        actions,
        parameters,
      })),
    },
    { token: await deps.token() },
  )
  return { taskId: task.id, token: taskToken }
}

async function fly(
  deps: FlyCanaryDeps,
  errand: CanaryErrand,
  token: CredentialText,
): Promise<CanaryFlight> {
  const stages = makeStages()
  const { seconds } = stages
  let provider: Lease['provider'] | null = null
  try {
    const { lease } = await stages.stage('mint', () =>
      deps.client.openLease({ ...errand, reason: 'canary' }, { token }),
    )
    provider = lease.provider
    const probe = await stages.stage('use', () => probeLive(deps, lease.id))
    await stages.stage('revoke', () => revoke(deps, lease.id, token))
    await stages.stage('probe', async () => {
      if (!(await probe())) throw new BrokenPromise('alive_after_death')
    })
    return { template: errand.template, provider, seconds, failed: null }
  } catch (error) {
    return { template: errand.template, provider, seconds, failed: stages.failure(error) }
  }
}

/** Says whether the credential is dead, now and later, when the lease has forgotten its handle. */
async function probeLive(deps: FlyCanaryDeps, leaseId: string): Promise<() => Promise<boolean>> {
  const [lease, handle] = await Promise.all([deps.findLease(leaseId), deps.peekHandle(leaseId)])
  if (!lease || !handle) throw new BrokenPromise('lease_unreadable')
  const provider = await deps.providers.get(lease.connection, lease.policySetVersion)
  const sentAt = deps.clock.now()
  const isDead = async (): Promise<boolean> => {
    const sent = { leaseId, sentAt, now: deps.clock.now() }
    return (await provider.verifyDead(handle, sent, deps.providerSignal())).dead
  }
  if (await isDead()) throw new BrokenPromise('dead_while_live')
  return isDead
}

async function revoke(deps: FlyCanaryDeps, leaseId: string, token: CredentialText): Promise<void> {
  const deadline = deps.clock.now().getTime() + deps.deadlineSeconds * 1_000
  let lease = await deps.client.revokeLease(leaseId, { token })
  while (lease.state !== 'revoked') {
    if (deps.clock.now().getTime() >= deadline) throw new BrokenPromise('not_revoked')
    await deps.pause(LOOK_EVERY_MS)
    lease = await deps.client.getLease(leaseId, { token })
  }
}

interface Stages {
  readonly seconds: ReadonlyMap<CanaryStage, number>
  stage<Result>(name: CanaryStage, work: () => Promise<Result>): Promise<Result>
  failure(error: unknown): CanaryFailure
}

function makeStages(): Stages {
  const seconds = new Map<CanaryStage, number>()
  let current: CanaryStage = 'open'
  return {
    seconds,
    async stage(name, work) {
      current = name
      const startedAt = performance.now()
      try {
        return await work()
      } finally {
        seconds.set(name, (performance.now() - startedAt) / 1_000)
      }
    },
    failure: (error) => ({ stage: current, code: codeOf(error), error }),
  }
}

function codeOf(error: unknown): string {
  if (error instanceof BrokenPromise || error instanceof MayflyError) return error.code
  if (error instanceof ProblemError) return error.problem.code
  return 'unreachable'
}
