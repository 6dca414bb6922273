import {
  assertTransition,
  isTerminal,
  MayflyError,
  type Activation,
  type Claim,
  type ClaimedLease,
  type EndReason,
  type Lease,
  type LeaseIntent,
  type LeaseState,
  type LeaseStore,
  type RevocationHandle,
  type Settlement,
} from '@mayfly/core'

interface Row {
  lease: Lease
  handle: RevocationHandle | null
  dueAt: Date | null
  sentAt: Date | null
}

export interface MemoryLeaseStore extends LeaseStore {
  readonly rows: ReadonlyMap<string, Readonly<Row>>
}

/** The lease table in memory, on a clock of the test's. Same promises as the one on PostgreSQL. */
export function makeMemoryLeaseStore(now: () => Date): MemoryLeaseStore {
  const rows = new Map<string, Row>()
  const after = (seconds: number): Date => new Date(now().getTime() + seconds * 1000)

  function rowOf(id: string): Row {
    const row = rows.get(id)
    if (!row) throw new MayflyError('lease_unknown', `no lease ${id}`)
    return row
  }

  function move(row: Row, to: LeaseState, changes: Partial<Lease> = {}): Lease {
    if (row.lease.state !== to) assertTransition(row.lease.id, row.lease.state, to)
    row.lease = { ...row.lease, ...changes, state: to }
    if (isTerminal(to)) Object.assign(row, { dueAt: null, handle: null })
    return row.lease
  }

  function keepHandle(row: Row, activation: Activation): void {
    row.handle = activation.handle
    row.lease = { ...row.lease, credentialExpiresAt: activation.credentialExpiresAt }
  }

  function claimRow(row: Row, visibilitySeconds: number): ClaimedLease {
    const from = row.lease.state
    const undelivered = row.lease.deliveredAt === null && row.lease.expiresAt > now()
    const reason =
      from === 'pending' ? 'mint_unconfirmed' : undelivered ? 'undelivered' : 'lease_ended'
    move(row, 'revoking', {
      revocationAttempts: row.lease.revocationAttempts + 1,
      endReason: row.lease.endReason ?? reason,
      endedAt: row.lease.endedAt ?? (reason === 'lease_ended' ? row.lease.expiresAt : now()),
    })
    row.dueAt = after(visibilitySeconds)
    const { lease, handle, sentAt } = row
    return { lease, handle, sentAt, from, attempt: lease.revocationAttempts, now: now() }
  }

  return {
    rows,
    open: (intent) => {
      const lease = pendingLease(intent, now())
      const { handle } = intent
      rows.set(lease.id, { lease, handle, sentAt: null, dueAt: after(intent.mintDeadlineSeconds) })
      return Promise.resolve(lease)
    },
    activate: async (activation) => {
      const row = rowOf(activation.lease.id)
      if (row.lease.endedAt) assertTransition(row.lease.id, 'revoking', 'active')
      move(row, 'active')
      keepHandle(row, activation)
      row.dueAt = after(activation.deliveryDeadlineSeconds)
      return Promise.resolve(row.lease)
    },
    fail: (id) => Promise.resolve(void move(rowOf(id), 'failed')),
    surrender: (activation, reason) => {
      const row = rowOf(activation.lease.id)
      if (isTerminal(row.lease.state)) return Promise.resolve(false)
      if (row.lease.state === 'pending') move(row, 'active')
      keepHandle(row, activation)
      const { endReason, endedAt } = row.lease
      row.lease = {
        ...row.lease,
        irrevocable: null,
        endReason: endReason ?? reason,
        endedAt: endedAt ?? now(),
      }
      row.dueAt = now()
      return Promise.resolve(true)
    },
    delivered: (id) => {
      const row = rowOf(id)
      row.lease = { ...row.lease, deliveredAt: now() }
      if (row.lease.state === 'active' && !row.lease.endedAt) row.dueAt = row.lease.expiresAt
    },
    end: (id, reason: EndReason) => {
      const row = rowOf(id)
      const { state, endedAt } = row.lease
      if (endedAt || (state !== 'pending' && state !== 'active')) return Promise.resolve(row.lease)
      row.lease = { ...row.lease, endedAt: now(), endReason: reason }
      if (state === 'active') row.dueAt = now()
      return Promise.resolve(row.lease)
    },
    claim: (id, visibilitySeconds): Promise<Claim> => {
      const row = rows.get(id)
      if (!row?.dueAt) return Promise.resolve({ outcome: 'nothing_to_do' })
      if (row.dueAt > now()) {
        const held = row.lease.state === 'revoking'
        return Promise.resolve(
          held ? { outcome: 'nothing_to_do' } : { outcome: 'not_due', dueAt: row.dueAt },
        )
      }
      const { state, credentialExpiresAt } = row.lease
      const diedByItself = credentialExpiresAt.getTime() + 60_000 < now().getTime()
      if (diedByItself && (state === 'active' || state === 'revocation_failed')) {
        move(row, 'expired')
        return Promise.resolve({ outcome: 'nothing_to_do' })
      }
      return Promise.resolve({ outcome: 'claimed', claimed: claimRow(row, visibilitySeconds) })
    },
    claimMany: ({ limit, visibilitySeconds, except }) => {
      const due = [...rows.values()].filter(
        ({ dueAt, lease }) => dueAt && dueAt <= now() && !except.includes(lease.connection),
      )
      const claimed = due.slice(0, limit).map((row) => claimRow(row, visibilitySeconds))
      return Promise.resolve({ claimed, expired: 0 })
    },
    settle: (claimed, settlement) =>
      Promise.resolve(settle(rowOf(claimed.lease.id), claimed, settlement)),
    find: (id) => Promise.resolve(rows.get(id)?.lease ?? null),
    list: () => Promise.resolve([...rows.values()].map(({ lease }) => lease)),
    due: (limit) =>
      Promise.resolve(
        [...rows.values()]
          .filter(({ dueAt }) => dueAt !== null && dueAt <= now())
          .slice(0, limit)
          .map(({ lease }) => lease.id),
      ),
  }

  function settle(row: Row, claimed: ClaimedLease, settlement: Settlement): boolean {
    if (row.lease.state !== 'revoking' || row.lease.revocationAttempts !== claimed.attempt)
      return false
    if (settlement.to === 'revoked') {
      move(row, 'revoked', { revokedAt: now(), revocationProof: settlement.proof })
      return true
    }
    row.dueAt = settlement.retryAt
    if (settlement.to === 'propagating') {
      row.sentAt = settlement.sentAt
      row.lease = { ...row.lease, revocationNote: settlement.note }
      return true
    }
    const irrevocable = settlement.irrevocable ?? row.lease.irrevocable
    move(row, 'revocation_failed', { revocationNote: settlement.note, irrevocable })
    return true
  }
}

function pendingLease(intent: LeaseIntent, now: Date): Lease {
  const { task, decision } = intent
  const after = (seconds: number): Date => new Date(now.getTime() + seconds * 1000)
  return {
    id: intent.leaseId,
    taskId: task.id,
    agent: task.agent,
    owner: task.owner,
    environment: task.environment,
    subject: task.subject,
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
    createdAt: now,
    expiresAt: after(decision.ttlSeconds),
    credentialExpiresAt: after(intent.lifetimeSeconds),
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
