import {
  MayflyError,
  subjectOf,
  type ErrorCode,
  type Lease,
  type LeaseIntent,
  type LeaseStore,
} from '@mayfly/core'
import { z } from 'zod'

import type { Database } from './database.ts'
import { sealPurpose } from './lease-handle.ts'
import type { Sealer } from './sealer.ts'

const OPEN = { name: 'open_lease', text: 'SELECT * FROM open_lease($1, $2)' }

const outcomeSchema = z.tuple([
  z.discriminatedUnion('outcome', [
    z.object({
      outcome: z.literal('opened'),
      opened_at: z.date(),
      ends_at: z.date(),
      dies_at: z.date(),
    }),
    z.object({
      outcome: z.enum([
        'task_unknown',
        'task_closed',
        'frozen',
        'limit_reached',
        'idempotency_conflict',
        'credential_already_delivered',
      ]),
      detail: z.string().nullable(),
    }),
  ]),
])

const REFUSALS = {
  task_unknown: () => refusal('task_unknown', 'no such task'),
  task_closed: () => refusal('task_closed', 'the task is closed, or its time is up'),
  frozen: () => refusal('frozen', 'issuing is frozen'),
  limit_reached: (limit: string | null) =>
    refusal('limit_reached', `the template's limit is reached: ${limit ?? ''}`, { limit }),
  idempotency_conflict: () =>
    refusal('idempotency_conflict', 'this idempotency key was used for another request'),
  credential_already_delivered: (leaseId: string | null) =>
    refusal(
      'credential_already_delivered',
      'this request was answered before, and a credential is delivered only once',
      { leaseId },
    ),
}

/** One round trip, one commit: see the function `open_lease` in the migrations. */
export function makeOpenLease(database: Database, sealer: Sealer): LeaseStore['open'] {
  return async (intent) => {
    const { leaseId, provider, handle } = intent
    const sealed = handle && sealer.seal(handle, sealPurpose(leaseId, provider))
    const document = JSON.stringify({ ...toDocument(intent), handleKeyId: sealed?.keyId ?? null })
    const rows = await database.rows(OPEN, [document, sealed?.bytes ?? null])
    const [result] = outcomeSchema.parse(rows)
    if (result.outcome !== 'opened') throw REFUSALS[result.outcome](result.detail)
    return pendingLease(intent, result)
  }
}

function toDocument(intent: LeaseIntent): object {
  const { task, decision, limits, idempotency } = intent
  return {
    leaseId: intent.leaseId,
    taskId: task.id,
    agent: task.agent,
    owner: task.owner,
    environment: task.environment,
    subject: subjectOf(task),
    provider: intent.provider,
    connection: intent.connection,
    targets: intent.targets,
    decisionId: decision.id,
    template: decision.template,
    templateVersion: decision.templateVersion,
    policySetVersion: decision.policySetVersion,
    policyDigest: decision.policyDigest,
    actions: decision.actions,
    parameters: decision.parameters,
    policies: decision.policies,
    scope: decision.scope,
    ttlSeconds: decision.ttlSeconds,
    requestedTtlSeconds: intent.requestedTtlSeconds,
    lifetimeSeconds: intent.lifetimeSeconds,
    mintDeadlineSeconds: intent.mintDeadlineSeconds,
    // Absent, not null: the function takes its locks only for what is there.
    liveLeasesPerTask: limits.liveLeasesPerTask,
    mintsPerHour: limits.mintsPerHour,
    idempotencyKey: idempotency?.key,
    requestSha256: idempotency?.requestSha256,
  }
}

function pendingLease(
  intent: LeaseIntent,
  at: { opened_at: Date; ends_at: Date; dies_at: Date },
): Lease {
  const { task, decision } = intent
  return {
    id: intent.leaseId,
    taskId: task.id,
    agent: task.agent,
    owner: task.owner,
    environment: task.environment,
    subject: subjectOf(task),
    provider: intent.provider,
    connection: intent.connection,
    template: decision.template,
    templateVersion: decision.templateVersion,
    policySetVersion: decision.policySetVersion,
    decisionId: decision.id,
    actions: decision.actions,
    parameters: decision.parameters,
    scope: decision.scope,
    targets: intent.targets,
    requestedTtlSeconds: intent.requestedTtlSeconds,
    state: 'pending',
    createdAt: at.opened_at,
    expiresAt: at.ends_at,
    credentialExpiresAt: at.dies_at,
    deliveredAt: null,
    endedAt: null,
    endReason: null,
    revokedAt: null,
    revocationProof: null,
    revocationAttempts: 0,
    revocationNote: null,
    irrevocable: null,
  }
}

function refusal(
  code: ErrorCode,
  message: string,
  details: Readonly<Record<string, unknown>> = {},
): MayflyError {
  return new MayflyError(code, message, { details })
}
