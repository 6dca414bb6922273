import type { AuditLog } from './audit-log.ts'
import type { Clock } from './clock.ts'
import { denial, type Decision, type LeaseRequest } from './decision.ts'
import { MayflyError } from './errors.ts'
import { fingerprintOf } from './fingerprint.ts'
import type { Idempotency } from './idempotency.ts'
import type { Activation, LeaseStore } from './lease-store.ts'
import type { Lease } from './lease.ts'
import type { NewId } from './new-id.ts'
import type { PolicySet, PolicySource } from './policy-set.ts'
import {
  MintError,
  UnacceptableMintError,
  type Credential,
  type CredentialProvider,
  type Minted,
  type Prepared,
} from './provider.ts'
import type { Providers } from './providers.ts'
import { reachedBeyond, targetsAtOpening } from './reach.ts'
import type { Report } from './report.ts'
import type { ScopeTemplate } from './resources.ts'
import type { RevocationQueue } from './revocation-queue.ts'
import type { RevokeLease } from './revoke-lease.ts'
import { Secret } from './secret.ts'
import type { Task } from './task.ts'

export interface IssueLeaseDeps {
  readonly policies: PolicySource
  readonly decide: (question: {
    policySet: PolicySet
    task: Task
    request: LeaseRequest
  }) => Decision
  readonly providers: Providers
  readonly leases: Pick<LeaseStore, 'open' | 'activate' | 'fail' | 'surrender' | 'end'>
  readonly audit: Pick<AuditLog, 'refuse'>
  readonly queue: RevocationQueue
  readonly revoke: RevokeLease
  readonly newId: NewId
  readonly clock: Clock
  readonly report: Report
  /** Bounds every provider call. Shorter than `mintDeadlineSeconds`, or a lost mint is misjudged. */
  readonly providerSignal: () => AbortSignal
  readonly mintDeadlineSeconds: number
  readonly deliveryDeadlineSeconds: number
}

export interface IssueLeaseInput {
  readonly task: Task
  readonly request: LeaseRequest
  readonly idempotency: Idempotency | null
}

export interface IssuedLease {
  readonly lease: Lease
  readonly credential: Credential
}

export type IssueLease = (input: IssueLeaseInput, caller: AbortSignal) => Promise<IssuedLease>

/**
 * Decides, mints one credential and puts it on a lease.
 *
 * The order is the point. The intent commits, its undoing is scheduled, and only then is the
 * provider called: whatever step fails, a row says what may exist upstream. The caller's signal
 * never interrupts a mint, because an interrupted mint is one whose outcome nobody knows.
 */
export function makeIssueLease(deps: IssueLeaseDeps): IssueLease {
  return async ({ task, request, idempotency }, caller) => {
    const policySet = deps.policies.current()
    const decision = deps.decide({ policySet, task, request })
    if (!decision.allowed) {
      await deps.audit.refuse(decision, task)
      throw denial(decision)
    }
    const template = templateOf(policySet, decision.template)
    const provider = await deps.providers.get(template.connection, policySet.version)
    const prepared = provider.prepare(decision.scope)

    const leaseId = deps.newId('lea')
    const startedAt = deps.clock.now()
    const lease = await deps.leases.open({
      leaseId,
      task,
      decision,
      provider: provider.name,
      connection: template.connection,
      targets: targetsAtOpening(prepared, template, decision),
      requestedTtlSeconds: request.ttlSeconds ?? decision.ttlSeconds,
      lifetimeSeconds: prepared.lifetimeSeconds(decision.ttlSeconds),
      mintDeadlineSeconds: deps.mintDeadlineSeconds,
      handle: prepared.handleBeforeMint(leaseId),
      limits: template.limits,
      idempotency,
    })
    schedule(deps, lease)

    await assertMayMint(deps, { leaseId, startedAt, caller })
    const minted = await mint(deps, { lease, prepared, provider, startedAt })
    const active = await activate(deps, { lease, minted, provider })
    return { lease: active, credential: minted.credential }
  }
}

function templateOf(policySet: PolicySet, name: string): ScopeTemplate {
  const compiled = policySet.templates.get(name)
  if (!compiled) throw new Error('an allowed decision names a template that is not in its set')
  return compiled.template
}

/** Not awaited: with the queue down or slow, minting goes on and the sweeper revokes. */
function schedule(deps: IssueLeaseDeps, lease: Lease): void {
  deps.queue.schedule(lease.id, lease.expiresAt).catch((error: unknown) => {
    deps.report('revocation not scheduled; the sweeper will find it', error, { leaseId: lease.id })
  })
}

interface MintStart {
  readonly leaseId: string
  readonly startedAt: Date
  readonly caller: AbortSignal
}

/**
 * The last moment to turn back. A process that slept since the commit (a paused machine) must not
 * mint: its lease may already have been found overdue and called dead.
 */
async function assertMayMint(deps: IssueLeaseDeps, start: MintStart): Promise<void> {
  const sleptSeconds = (deps.clock.now().getTime() - start.startedAt.getTime()) / 1000
  const late = sleptSeconds > deps.mintDeadlineSeconds / 2
  if (!late && !start.caller.aborted) return
  const error = late
    ? new MayflyError('database_unavailable', 'storing the lease took too long', {
        retryable: true,
      })
    : new MayflyError('invalid_request', 'the caller went away before anything was minted')
  await deps.leases.fail(start.leaseId, error.code)
  throw error
}

interface Minting {
  readonly lease: Lease
  /** By our own clock, just before the lease was opened. */
  readonly startedAt: Date
  readonly prepared: Prepared
  readonly provider: CredentialProvider
}

async function mint(deps: IssueLeaseDeps, minting: Minting): Promise<Minted> {
  const { lease, prepared, provider, startedAt } = minting
  const sinceMs = deps.clock.now().getTime() - startedAt.getTime()
  const request = {
    leaseId: lease.id,
    taskId: lease.taskId,
    agent: lease.agent,
    owner: lease.owner,
    template: lease.template,
    ttlSeconds: Math.round((lease.expiresAt.getTime() - lease.createdAt.getTime()) / 1000),
    expiresAt: lease.expiresAt,
    // The database's clock, carried forward: only how fast ours goes matters.
    now: new Date(lease.createdAt.getTime() + sinceMs),
  }
  try {
    return await prepared.mint(request, deps.providerSignal())
  } catch (error) {
    await recordFailedMint(deps, { lease, provider, error })
    throw error
  }
}

interface FailedMint {
  readonly lease: Lease
  readonly provider: CredentialProvider
  readonly error: unknown
}

/** Whatever cannot be written here is covered by the `pending` row and its deadline. */
async function recordFailedMint(deps: IssueLeaseDeps, failed: FailedMint): Promise<void> {
  const { lease, provider, error } = failed
  const leaseId = lease.id
  try {
    if (error instanceof MintError && error.effect === 'none') {
      await deps.leases.fail(leaseId, error.code)
    } else if (error instanceof UnacceptableMintError) {
      await abandon(deps, { lease, provider, minted: error.minted, reason: 'overbroad' })
    } else {
      await deps.leases.end(leaseId, 'mint_unconfirmed')
    }
  } catch (cause) {
    deps.report('a failed mint could not be recorded; its deadline will', cause, { leaseId })
  }
}

interface MintedLease {
  readonly lease: Lease
  readonly provider: CredentialProvider
  readonly minted: Minted
}

async function activate(deps: IssueLeaseDeps, mintedLease: MintedLease): Promise<Lease> {
  try {
    return await deps.leases.activate(activation(deps, mintedLease))
  } catch (error) {
    const frozen = error instanceof MayflyError && error.code === 'frozen'
    await abandon(deps, { ...mintedLease, reason: frozen ? 'frozen' : 'undelivered' })
    throw error
  }
}

/**
 * A credential exists and nobody may have it. First the handle is made durable, so that the ordinary
 * revocation can prove the death; where even that fails, the credential is killed with the handle
 * still in memory, while the row goes on saying that something may exist.
 */
async function abandon(
  deps: IssueLeaseDeps,
  abandoned: MintedLease & { reason: 'overbroad' | 'undelivered' | 'frozen' },
): Promise<void> {
  const { lease, provider, minted, reason } = abandoned
  const leaseId = lease.id
  const kept = await deps.leases
    .surrender(activation(deps, abandoned), reason)
    .catch((error: unknown) => {
      deps.report('the handle of an abandoned credential could not be stored', error, { leaseId })
      return false
    })
  try {
    if (kept) await deps.revoke(leaseId, deps.providerSignal())
    else await provider.revoke(minted.handle, deps.providerSignal(), deps.clock.now())
  } catch (error) {
    deps.report('an abandoned credential was not revoked at once', error, { leaseId })
  }
}

function activation(
  deps: IssueLeaseDeps,
  { lease, minted }: Omit<MintedLease, 'provider'>,
): Activation {
  return {
    lease,
    reached: reachedBeyond(lease, minted),
    credentialExpiresAt: minted.credentialExpiresAt,
    handle: minted.handle,
    fingerprints: fingerprints(minted.credential),
    deliveryDeadlineSeconds: deps.deliveryDeadlineSeconds,
  }
}

function fingerprints(credential: Credential): readonly string[] {
  return Object.values(credential)
    .filter((part) => part instanceof Secret)
    .map(fingerprintOf)
}
