import type { Lease } from '@mayfly/core'
import type { LeaseBody } from '@mayfly/protocol'

import { instantOrNull } from './instant-or-null.ts'

/** A lease as its holder and operators see it: nothing here is a credential or leads to one. */
export function leaseBody(lease: Lease): LeaseBody {
  const lag = revocationLag(lease)
  return {
    id: lease.id,
    taskId: lease.taskId,
    agent: lease.agent,
    template: lease.template,
    templateVersion: lease.templateVersion,
    provider: lease.provider,
    actions: [...lease.actions],
    parameters: { ...lease.parameters },
    targets: [...lease.targets],
    state: lease.state,
    createdAt: lease.createdAt.toISOString(),
    expiresAt: lease.expiresAt.toISOString(),
    credentialExpiresAt: lease.credentialExpiresAt.toISOString(),
    requestedTtlSeconds: lease.requestedTtlSeconds,
    deliveredAt: instantOrNull(lease.deliveredAt),
    endedAt: instantOrNull(lease.endedAt),
    endReason: lease.endReason,
    revokedAt: instantOrNull(lease.revokedAt),
    revocationProof: lease.revocationProof,
    revocationAttempts: lease.revocationAttempts,
    revocationNote: lease.revocationNote,
    irrevocable: lease.irrevocable && {
      reason: lease.irrevocable.reason,
      diesAt: lease.irrevocable.diesAt.toISOString(),
    },
    ...(lag !== null && { revocationLagMilliseconds: lag }),
  }
}

function revocationLag({ revokedAt, endedAt }: Lease): number | null {
  return revokedAt && endedAt ? revokedAt.getTime() - endedAt.getTime() : null
}
