import type { ContainedLease, Containment, ContainmentPreview } from '@mayfly/core'
import type { ContainedLeaseBody, ContainmentBody, PreviewBody } from '@mayfly/protocol'

import { instantOrNull } from './instant-or-null.ts'
import { leaseBody } from './lease-body.ts'

export function containmentBody(containment: Containment): ContainmentBody {
  return {
    ...containment,
    selector: { ...containment.selector },
    counts: { ...containment.counts },
    startedAt: containment.startedAt.toISOString(),
    finishedAt: instantOrNull(containment.finishedAt),
    lastDiesAt: instantOrNull(containment.lastDiesAt),
    cancelledAt: instantOrNull(containment.cancelledAt),
  }
}

export function containedLeaseBody({ lease, ...member }: ContainedLease): ContainedLeaseBody {
  const diesAt = lease.irrevocable?.diesAt ?? lease.credentialExpiresAt
  return {
    leaseId: lease.id,
    taskId: lease.taskId,
    agent: lease.agent,
    owner: lease.owner,
    template: lease.template,
    provider: lease.provider,
    targets: [...lease.targets],
    state: member.state,
    leaseState: lease.state,
    revokedAt: instantOrNull(lease.revokedAt),
    proof: lease.revocationProof,
    note: lease.revocationNote,
    nextAttemptAt: instantOrNull(member.nextAttemptAt),
    diesAt: diesAt.toISOString(),
  }
}

export function previewBody({ irrevocable, ...preview }: ContainmentPreview): PreviewBody {
  return {
    ...preview,
    selector: { ...preview.selector },
    byProvider: { ...preview.byProvider },
    byAgent: { ...preview.byAgent },
    byState: { ...preview.byState },
    leases: preview.leases.map(leaseBody),
    irrevocable: irrevocable.map(({ until, ...more }) => ({ ...more, until: until.toISOString() })),
    sideEffects: [...preview.sideEffects],
  }
}
