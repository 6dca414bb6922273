import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Secret, type ClaimedLease, type Lease } from '@mayfly/core'

import { activationOf, leaseIntent, openTask } from '../../support/lease-fixtures.ts'
import { startStoreWorld, type StoreWorld } from '../../support/store-world.ts'

let world: StoreWorld
beforeAll(async () => {
  world = await startStoreWorld()
})
afterAll(() => world.close())

async function openLease(handle: string | null = null): Promise<Lease> {
  const { leases, tasks } = world.store
  const task = await openTask(tasks)
  return leases.open(leaseIntent(task, { handle: handle === null ? null : new Secret(handle) }))
}

async function activeLease(): Promise<Lease> {
  const lease = await openLease()
  return world.store.leases.activate(activationOf(lease))
}

async function claim(leaseId: string): Promise<ClaimedLease> {
  const claim = await world.store.leases.claim(leaseId, 30)
  if (claim.outcome !== 'claimed') throw new Error(`not claimed: ${claim.outcome}`)
  return claim.claimed
}

async function events(leaseId: string): Promise<readonly unknown[]> {
  const rows = await world.sql('SELECT type FROM audit_events WHERE lease_id = $1 ORDER BY seq', [
    leaseId,
  ])
  return rows.map(({ type }) => type)
}

async function dueIn(leaseId: string): Promise<number | null> {
  const [row] = await world.sql(
    'SELECT extract(epoch FROM due_at - now())::float8 AS seconds FROM leases WHERE id = $1',
    [leaseId],
  )
  return row?.['seconds'] as number | null // the query above says so
}

describe('a lease that is issued, delivered and ended in time', () => {
  test('opens pending, with decision and event, due at the mint deadline', async () => {
    const task = await openTask(world.store.tasks)
    const intent = leaseIntent(task)
    const lease = await world.store.leases.open(intent)
    expect(lease).toEqual({
      id: intent.leaseId,
      taskId: task.id,
      agent: 'web-coder',
      owner: 'alice@acme.example',
      environment: 'development',
      subject: 'github-actions#repo:acme/web',
      provider: 'github',
      connection: 'github-acme',
      template: 'repo',
      templateVersion: 1,
      policySetVersion: 1,
      decisionId: intent.decision.id,
      actions: ['repo.read'],
      parameters: { repository: 'acme/web', depth: 3, force: false },
      scope: { repositoryIds: [42], permissions: { contents: 'read' } },
      targets: ['github:repo:acme/web', 'github:org:acme'],
      requestedTtlSeconds: 900,
      state: 'pending',
      createdAt: lease.createdAt,
      expiresAt: new Date(lease.createdAt.getTime() + 600_000),
      // Its life may begin as late as the mint deadline.
      credentialExpiresAt: new Date(lease.createdAt.getTime() + 3_630_000),
      deliveredAt: null,
      endedAt: null,
      endReason: null,
      revokedAt: null,
      revocationProof: null,
      revocationAttempts: 0,
      revocationNote: null,
      irrevocable: null,
    })
    expect(await world.store.leases.find(lease.id)).toEqual(lease)
    expect(await world.sql('SELECT due_at FROM leases WHERE id = $1', [lease.id])).toEqual([
      { due_at: new Date(lease.createdAt.getTime() + 30_000) },
    ])
    expect(await events(lease.id)).toEqual(['lease.pending'])
    expect(
      await world.sql('SELECT allowed, policies, ttl_seconds FROM decisions WHERE id = $1', [
        intent.decision.id,
      ]),
    ).toEqual([{ allowed: true, policies: ['own-repo'], ttl_seconds: 600 }])
  })

  test('activation keeps the provider’s instant and waits for delivery', async () => {
    const lease = await openLease()
    const activation = activationOf(lease)
    const active = await world.store.leases.activate(activation)
    expect(active).toEqual({
      ...lease,
      state: 'active',
      credentialExpiresAt: activation.credentialExpiresAt,
    })
    expect(await dueIn(lease.id)).toBeLessThanOrEqual(30)
    expect(await dueIn(lease.id)).toBeGreaterThan(0)
    expect(await world.sql('SELECT fingerprints FROM leases WHERE id = $1', [lease.id])).toEqual([
      { fingerprints: activation.fingerprints },
    ])
  })

  test('delivery makes it due at its end', async () => {
    const lease = await activeLease()
    const other = world.another()
    other.leases.delivered(lease.id)
    await other.close()
    expect((await world.store.leases.find(lease.id))?.deliveredAt).toBeInstanceOf(Date)
    expect(
      await world.sql('SELECT due_at = expires_at AS on_time FROM leases WHERE id = $1', [
        lease.id,
      ]),
    ).toContainEqual({ on_time: true })
    expect(await events(lease.id)).toEqual(['lease.pending', 'lease.active', 'lease.delivered'])
  })

  test('its end, revocation and proof are recorded, and the handle is erased', async () => {
    const lease = await activeLease()
    world.store.leases.delivered(lease.id)
    await expect(waitForDelivery(lease.id)).resolves.toBeDefined()
    await world.age(lease.id, 700)
    const claimed = await claim(lease.id)
    expect(claimed.from).toBe('active')
    expect(claimed.handle?.reveal()).toBe(`ghs_${lease.id}`)
    expect(claimed.lease).toMatchObject({
      state: 'revoking',
      endReason: 'lease_ended',
      endedAt: claimed.lease.expiresAt,
      revocationAttempts: 1,
    })
    expect(await world.store.leases.settle(claimed, { to: 'revoked', proof: 'probe: 401' })).toBe(
      true,
    )
    expect(await world.store.leases.find(lease.id)).toEqual({
      ...claimed.lease,
      state: 'revoked',
      revocationProof: 'probe: 401',
      revokedAt: expect.any(Date),
    })
    expect(
      await world.sql('SELECT sealed_handle, handle_key_id, due_at FROM leases WHERE id = $1', [
        lease.id,
      ]),
    ).toEqual([{ sealed_handle: null, handle_key_id: null, due_at: null }])
    expect(await events(lease.id)).toEqual([
      'lease.pending',
      'lease.active',
      'lease.delivered',
      'lease.revoking',
      'lease.revoked',
    ])
  })
})

async function waitForDelivery(leaseId: string): Promise<Date> {
  const deadline = Date.now() + 5_000
  for (;;) {
    const deliveredAt = (await world.store.leases.find(leaseId))?.deliveredAt
    if (deliveredAt) return deliveredAt
    if (Date.now() > deadline) throw new Error('the delivery was not stored')
  }
}

describe('a lease that ends early', () => {
  test('an active one is due at once, and ending it twice changes nothing', async () => {
    const lease = await activeLease()
    const ended = await world.store.leases.end(lease.id, 'holder')
    expect(ended).toMatchObject({ state: 'active', endReason: 'holder' })
    expect(await dueIn(lease.id)).toBeLessThanOrEqual(0)
    expect(await world.store.leases.end(lease.id, 'operator')).toEqual(ended)
    expect(await events(lease.id)).toEqual(['lease.pending', 'lease.active', 'lease.ended'])
  })

  test('a pending one keeps its mint deadline, and can no longer become active', async () => {
    const lease = await openLease()
    await world.store.leases.end(lease.id, 'mint_unconfirmed')
    expect(await dueIn(lease.id)).toBeGreaterThan(20)
    await expect(world.store.leases.activate(activationOf(lease))).rejects.toMatchObject({
      code: 'lease_transition_illegal',
    })
  })

  test('a delivery that is confirmed after the end does not put the end off', async () => {
    const lease = await activeLease()
    await world.store.leases.end(lease.id, 'operator')
    world.store.leases.delivered(lease.id)
    await waitForDelivery(lease.id)
    expect(await dueIn(lease.id)).toBeLessThanOrEqual(0)
  })

  test('an unknown lease is an error', async () => {
    await expect(world.store.leases.end('lea_none', 'holder')).rejects.toMatchObject({
      code: 'lease_unknown',
    })
    await expect(world.store.leases.fail('lea_none', 'denied')).rejects.toMatchObject({
      code: 'lease_unknown',
    })
    expect(await world.store.leases.find('lea_none')).toBeNull()
    expect(await world.store.leases.claim('lea_none', 1)).toEqual({ outcome: 'nothing_to_do' })
  })
})

describe('a mint that did not go well', () => {
  test('one that the provider refused is failed for good', async () => {
    const lease = await openLease('chosen before')
    await world.store.leases.fail(lease.id, 'provider_rejected')
    expect(await world.store.leases.find(lease.id)).toEqual({ ...lease, state: 'failed' })
    expect(await dueIn(lease.id)).toBeNull()
    await expect(world.store.leases.fail(lease.id, 'denied')).rejects.toMatchObject({
      code: 'lease_transition_illegal',
      details: { leaseId: lease.id, from: 'failed', to: 'failed' },
    })
  })

  test('one that never answered is claimed after its deadline with the handle chosen before', async () => {
    const lease = await openLease('chosen before')
    expect(await world.store.leases.claim(lease.id, 30)).toMatchObject({ outcome: 'not_due' })
    await world.age(lease.id, 31)
    const claimed = await claim(lease.id)
    expect(claimed.from).toBe('pending')
    expect(claimed.handle?.reveal()).toBe('chosen before')
    expect(claimed.lease).toMatchObject({ endReason: 'mint_unconfirmed', endedAt: claimed.now })
  })

  test('a credential nobody was seen to receive is revoked as undelivered', async () => {
    const lease = await activeLease()
    await world.age(lease.id, 31)
    const { lease: claimed, now } = await claim(lease.id)
    expect(claimed).toMatchObject({ endReason: 'undelivered', endedAt: now })
  })

  test('without a handle it is irrevocable, and sleeps until its credential has died', async () => {
    const lease = await openLease()
    await world.age(lease.id, 31)
    const claimed = await claim(lease.id)
    expect(claimed.handle).toBeNull()
    const diesAt = claimed.lease.credentialExpiresAt
    await world.store.leases.settle(claimed, {
      to: 'revocation_failed',
      note: 'nothing to revoke with',
      retryAt: diesAt,
      irrevocable: { reason: 'lost', diesAt },
    })
    expect(await world.store.leases.find(lease.id)).toMatchObject({
      state: 'revocation_failed',
      irrevocable: { reason: 'lost', diesAt },
    })
    expect(await world.store.leases.claim(lease.id, 30)).toEqual({
      outcome: 'not_due',
      dueAt: new Date(diesAt.getTime() + 61_000),
    })
  })
})

describe('a mint that came back too late', () => {
  test('a surrendered pending lease can be revoked with the handle that came back', async () => {
    const lease = await openLease()
    const late = activationOf(lease, { handle: new Secret('ghs_late') })
    expect(await world.store.leases.surrender(late, 'overbroad')).toBe(true)
    const claimed = await claim(lease.id)
    expect(claimed.handle?.reveal()).toBe('ghs_late')
    expect(claimed.from).toBe('active')
    expect(claimed.lease).toMatchObject({ endReason: 'overbroad' })
  })

  test('the worker that claimed it without a handle loses its claim', async () => {
    const lease = await openLease()
    await world.age(lease.id, 31)
    const blind = await claim(lease.id)
    const late = activationOf(lease, { handle: new Secret('ghs_late') })
    expect(await world.store.leases.surrender(late, 'undelivered')).toBe(true)
    const lost = { to: 'revocation_failed', note: 'lost', retryAt: new Date() } as const
    expect(await world.store.leases.settle(blind, lost)).toBe(false)
    expect((await claim(lease.id)).handle?.reveal()).toBe('ghs_late')
  })

  test('what was called irrevocable is so no longer', async () => {
    const lease = await openLease()
    await world.age(lease.id, 31)
    const claimed = await claim(lease.id)
    const diesAt = claimed.lease.credentialExpiresAt
    const irrevocable = { reason: 'lost', diesAt }
    await world.store.leases.settle(claimed, {
      to: 'revocation_failed',
      note: 'lost',
      retryAt: diesAt,
      irrevocable,
    })
    expect(await world.store.leases.surrender(activationOf(lease), 'undelivered')).toBe(true)
    const again = await claim(lease.id)
    expect(again.from).toBe('revocation_failed')
    expect(again.lease.irrevocable).toBeNull()
  })

  test('a dead lease takes no handle: the caller is told to kill the credential', async () => {
    const lease = await openLease()
    await world.store.leases.fail(lease.id, 'provider_rejected')
    expect(await world.store.leases.surrender(activationOf(lease), 'undelivered')).toBe(false)
    expect(await world.sql('SELECT sealed_handle FROM leases WHERE id = $1', [lease.id])).toEqual([
      { sealed_handle: null },
    ])
  })
})

describe('a revocation that takes time', () => {
  test('a propagating one stays revoking and remembers when revoke was first sent', async () => {
    const lease = await activeLease()
    await world.store.leases.end(lease.id, 'holder')
    const first = await claim(lease.id)
    const sentAt = new Date(first.now.getTime() - 5_000)
    await world.store.leases.settle(first, {
      to: 'propagating',
      note: 'IAM is still propagating',
      retryAt: new Date(first.now.getTime() + 10_000),
      sentAt,
    })
    expect(await world.store.leases.claim(lease.id, 30)).toEqual({
      outcome: 'not_due',
      dueAt: new Date(first.now.getTime() + 10_000),
    })
    await world.age(lease.id, 11)
    const second = await claim(lease.id)
    expect(second).toMatchObject({ from: 'revoking', attempt: 2, sentAt })
  })

  test('a failed one is retried, and expires a minute after the provider’s own clock', async () => {
    const lease = await activeLease()
    await world.store.leases.end(lease.id, 'operator')
    const first = await claim(lease.id)
    await world.store.leases.settle(first, {
      to: 'revocation_failed',
      note: 'provider_unavailable: no answer',
      retryAt: first.now,
    })
    await world.age(lease.id, 3_630)
    expect((await claim(lease.id)).from).toBe('revocation_failed')
    expect(await world.store.leases.claim(lease.id, 30)).toEqual({ outcome: 'nothing_to_do' })
    await world.age(lease.id, 31)
    const late = await claim(lease.id)
    expect(late.from).toBe('revoking')
    await world.store.leases.settle(late, {
      to: 'revocation_failed',
      note: 'provider_unavailable: no answer',
      retryAt: late.now,
    })
    expect(await world.store.leases.claim(lease.id, 30)).toEqual({ outcome: 'nothing_to_do' })
    expect(await world.store.leases.find(lease.id)).toMatchObject({
      state: 'expired',
      endReason: 'operator',
      revokedAt: null,
    })
    expect((await events(lease.id)).at(-1)).toBe('lease.expired')
  })
})
