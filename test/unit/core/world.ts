import {
  makeEndLease,
  makeIssueLease,
  makeRevokeClaimed,
  makeRevokeLease,
  MintError,
  Secret,
  type Allowed,
  type CredentialProvider,
  type Decision,
  type IssueLease,
  type LeaseStore,
  type Minted,
  type MintRequest,
  type PolicySet,
  type RevocationQueue,
  type Task,
} from '@mayfly/core'

import { makeMemoryLeaseStore, type MemoryLeaseStore } from '../../support/memory-lease-store.ts'

export const NOON = new Date('2026-11-23T12:00:00Z')
export const MINT_DEADLINE_SECONDS = 30
export const LIFETIME_SECONDS = 3600

export const TASK: Task = {
  id: 'tsk_1',
  agent: 'codex',
  owner: 'ada@acme.example',
  environment: 'development',
  issuer: 'ci',
  subject: 'repo:acme/web',
  claims: {},
  intent: { reason: 'fix the build' },
  declarations: [],
  openedAt: NOON,
  notAfter: new Date(NOON.getTime() + 3_600_000),
  closedAt: null,
}

export const ALLOWED: Allowed = {
  id: 'dec_1',
  taskId: TASK.id,
  allowed: true,
  template: 'repo-read',
  templateVersion: 1,
  policySetVersion: 1,
  policyDigest: 'd',
  actions: ['repo.read'],
  parameters: {},
  policies: ['own-repo'],
  ttlSeconds: 600,
  scope: { repository: 'acme/web' },
}

export const REQUEST = { template: 'repo-read', actions: ['repo.read'], parameters: {} }

/** A provider that behaves: what it minted lives until it is revoked. */
export function makeWorld(
  options: { decision?: Decision; knowsHandle?: boolean; clockAheadMs?: number } = {},
) {
  let now = NOON
  /** The process's own. The store goes by `now`. */
  const clock = { now: () => new Date(now.getTime() + (options.clockAheadMs ?? 0)) }
  const mints: MintRequest[] = []
  const diary: string[] = []
  const reports: string[] = []
  const live = new Set<string>()
  let mintFails: ((leaseId: string) => Error | undefined) | null = null
  let duringMint: (() => Promise<unknown>) | null = null
  let revokeFails: Error | null = null
  let queueFails: Error | null = null
  let propagateUntil: Date | null = null

  const provider: CredentialProvider = {
    name: 'vault',
    prepare: () => ({
      targets: ['vault:path:kv/data/app'],
      lifetimeSeconds: () => LIFETIME_SECONDS,
      handleBeforeMint: (leaseId) =>
        options.knowsHandle === false ? null : new Secret(`token-of-${leaseId}`),
      mint: async (request) => {
        const { leaseId } = request
        mints.push(request)
        diary.push('mint')
        await duringMint?.()
        const token = `token-of-${leaseId}`
        const failure = mintFails?.(leaseId)
        if (!(failure instanceof MintError && failure.effect === 'none')) live.add(token)
        if (failure) throw failure
        return mintedOf(token, now)
      },
    }),
    revoke: (handle) => {
      diary.push('revoke')
      if (revokeFails) return Promise.reject(revokeFails)
      live.delete(handle.reveal())
      return Promise.resolve()
    },
    verifyDead: (handle, sent) => {
      if (propagateUntil && sent.now < propagateUntil)
        return Promise.resolve({ dead: false, reason: 'propagating', retryAt: propagateUntil })
      return Promise.resolve(
        live.has(handle.reveal())
          ? { dead: false, reason: 'still answers', retryAt: new Date(sent.now.getTime() + 1000) }
          : { dead: true, proof: 'gone' },
      )
    },
  }

  const leases = makeMemoryLeaseStore(() => now)
  const queue: RevocationQueue = {
    schedule: (_leaseId, at) =>
      queueFails
        ? Promise.reject(queueFails)
        : Promise.resolve(void diary.push(`schedule ${at.toISOString()}`)),
  }
  const world = {
    diary,
    mints,
    reports,
    live,
    leases,
    clock,
    advance: (seconds: number) => {
      now = new Date(now.getTime() + seconds * 1000)
    },
    failMint: (fails: (leaseId: string) => Error | undefined) => {
      mintFails = fails
    },
    /** Runs while the provider is being asked, before the credential exists. */
    duringMint: (happens: () => Promise<unknown>) => {
      duringMint = happens
    },
    failQueue: (error: Error) => {
      queueFails = error
    },
    failRevoke: (error: Error | null) => {
      revokeFails = error
    },
    propagateUntil: (at: Date) => {
      propagateUntil = at
    },
    ...useCases({
      leases,
      queue,
      provider,
      clock,
      diary,
      reports,
      decision: options.decision ?? ALLOWED,
    }),
    useCasesOver: (broken: LeaseStore) =>
      useCases({
        leases: broken,
        queue,
        provider,
        clock,
        diary,
        reports,
        decision: options.decision ?? ALLOWED,
      }),
  }
  return world
}

export function mintedOf(token: string, now: Date): Minted {
  return {
    credential: { token: new Secret(token) },
    credentialExpiresAt: new Date(now.getTime() + LIFETIME_SECONDS * 1000),
    handle: new Secret(token),
  }
}

interface Parts {
  readonly leases: LeaseStore | MemoryLeaseStore
  readonly queue: RevocationQueue
  readonly provider: CredentialProvider
  readonly clock: { now: () => Date }
  readonly diary: string[]
  readonly reports: string[]
  readonly decision: Decision
}

function useCases({ leases, queue, provider, clock, diary, reports, decision }: Parts) {
  const report = (message: string) => void reports.push(message)
  const providers = { get: () => Promise.resolve(provider) }
  const revoking = {
    leases,
    providers,
    clock,
    visibilitySeconds: 30,
    retry: { baseSeconds: 1, capSeconds: 60, random: () => 0.5 },
  }
  const revoke = makeRevokeLease(revoking)
  const revokeClaimed = makeRevokeClaimed(revoking)
  const issue: IssueLease = makeIssueLease({
    policies: { current: () => POLICY_SET },
    decide: () => decision,
    providers,
    leases,
    audit: { refuse: () => Promise.resolve(void diary.push('refuse')) },
    queue,
    revoke,
    newId: (prefix) => `${prefix}_1`,
    clock,
    report,
    providerSignal: () => AbortSignal.timeout(1000),
    mintDeadlineSeconds: MINT_DEADLINE_SECONDS,
    deliveryDeadlineSeconds: 30,
  })
  return { issue, revoke, revokeClaimed, end: makeEndLease({ leases, queue, revoke, report }) }
}

const TEMPLATE = {
  connection: 'vault-acme',
  limits: {},
  resource: { type: 'SecretPath', id: 'kv/data/app' },
}

// The use cases read a template's connection and limits from the set, and nothing else.
const POLICY_SET = {
  version: 1,
  templates: new Map([['repo-read', { template: TEMPLATE }]]),
} as unknown as PolicySet
