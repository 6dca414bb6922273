import { Secret, type DeniedSession, type LeaseIntent } from '@mayfly/core'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'

import { activationOf, leaseIntent, openTask } from '../../support/lease-fixtures.ts'
import { startStoreWorld, type StoreWorld } from '../../support/store-world.ts'

let world: StoreWorld
beforeAll(async () => {
  world = await startStoreWorld()
})
afterAll(() => world.close())

let roles = 0
function newRole(): string {
  roles += 1
  return `arn:aws:iam::123456789012:role/deploy-${String(roles)}`
}

async function pendingLease(roleArn: string, more: Partial<LeaseIntent> = {}): Promise<string> {
  const { leases, tasks } = world.store
  const intent = leaseIntent(await openTask(tasks), {
    provider: 'aws',
    connection: 'aws-acme',
    targets: [`aws:role:${roleArn}`, 'aws:account:123456789012'],
    handle: new Secret('session'),
    ...more,
  })
  return (await leases.open(intent)).id
}

async function activeLease(roleArn: string): Promise<string> {
  const { leases } = world.store
  const id = await pendingLease(roleArn)
  const lease = await leases.find(id)
  if (!lease) throw new Error('it was just opened')
  await leases.activate(activationOf(lease))
  leases.delivered(id)
  return id
}

async function endedLease(roleArn: string): Promise<string> {
  const id = await activeLease(roleArn)
  await world.store.leases.end(id, 'operator')
  return id
}

async function settle(leaseId: string): Promise<void> {
  const claim = await world.store.leases.claim(leaseId, 30)
  if (claim.outcome !== 'claimed') throw new Error('not claimed')
  await world.store.leases.settle(claim.claimed, { to: 'revoked', proof: 'read back' })
}

const listed = (roleArn: string): Promise<readonly DeniedSession[]> =>
  world.store.deniedSessions.underRoleLock(
    roleArn,
    async (denials) => (await denials.read()).sessions,
  )
const idsOf = async (roleArn: string) => (await listed(roleArn)).map(({ leaseId }) => leaseId)

describe('R76 the sessions that a role must deny', () => {
  test('are those that ended before their time, until their own policy ends them', async () => {
    const role = newRole()
    await activeLease(role)
    const ending = await endedLease(role)
    const revoked = await endedLease(role)
    const over = await endedLease(role)
    await endedLease(newRole())
    await settle(revoked)
    // Ten minutes and a bit: the lease is over, the session of an hour is not.
    await world.age(over, 661)
    expect(await idsOf(role)).toEqual([ending, revoked])
  })

  test('are not those that ended on time: their policy has ended them already', async () => {
    const role = newRole()
    const onTime = await activeLease(role)
    await world.age(onTime, 601)
    expect((await world.store.leases.claim(onTime, 30)).outcome).toBe('claimed')
    expect(await idsOf(role)).toEqual([])
  })

  test('are those of mints that were given up, also while the mint may be under way', async () => {
    const role = newRole()
    const underWay = await pendingLease(role)
    const late = await pendingLease(role)
    const failed = await pendingLease(role)
    await world.store.leases.fail(failed, 'provider_rejected')
    await world.store.leases.end(underWay, 'mint_unconfirmed')
    await world.age(late, 31)
    expect((await world.store.leases.claim(late, 30)).outcome).toBe('claimed')
    expect((await listed(role)).map(({ leaseId, pending }) => [leaseId, pending])).toEqual([
      [underWay, true],
      [late, false],
    ])
  })

  test('stay listed once they are denied, whatever became of their lease', async () => {
    const role = newRole()
    const failed = await pendingLease(role)
    await world.store.leases.fail(failed, 'provider_rejected')
    await world.store.deniedSessions.underRoleLock(role, (denials) =>
      denials.record({ policy: 'P', cutOff: null, leaseIds: [failed] }),
    )
    expect(await idsOf(role)).toEqual([failed])
    await world.age(failed, 661)
    expect(await idsOf(role)).toEqual([])
    // What is kept of it goes with it.
    expect(await world.sql('SELECT FROM denied_sessions WHERE lease_id = $1', [failed])).toEqual([])
  })
})

describe('R76 what is written down of a Deny', () => {
  test('is when and where it was last written, for every process to read', async () => {
    const role = newRole()
    const [one, two] = [await endedLease(role), await endedLease(role)]
    const cutOff = new Date('2026-11-23T12:00:00Z')
    await world.store.deniedSessions.underRoleLock(role, async (denials) => {
      await denials.record({ policy: 'First', cutOff: null, leaseIds: [one] })
      await denials.record({ policy: 'Second', cutOff: null, leaseIds: [one, 'lea_unknown'] })
      await denials.record({ policy: 'Third', cutOff, leaseIds: [two] })
    })
    const find = (id: string) => world.another().deniedSessions.find(id)
    const lease = await world.store.leases.find(one)
    expect(await find(one)).toEqual({
      leaseId: one,
      sealedAt: lease?.expiresAt,
      pending: false,
      denial: { policy: 'Second', since: expect.any(Date), cutOff: null },
    })
    expect(await find(two)).toMatchObject({ denial: { policy: 'Third', cutOff } })
    expect(await find('lea_unknown')).toBeNull()
  })

  test('is forgotten when the Deny is gone, unless it was written again meanwhile', async () => {
    const { deniedSessions } = world.store
    const role = newRole()
    const id = await endedLease(role)
    const write = () =>
      deniedSessions.underRoleLock(role, (denials) =>
        denials.record({ policy: 'P', cutOff: null, leaseIds: [id] }),
      )
    await write()
    const first = (await deniedSessions.find(id))?.denial?.since ?? new Date(0)
    await world.sql('SELECT pg_sleep(0.01)')
    await write()
    await deniedSessions.forget(id, first)
    const second = (await deniedSessions.find(id))?.denial?.since ?? new Date(0)
    expect(second > first).toBe(true)
    await deniedSessions.forget(id, second)
    expect((await deniedSessions.find(id))?.denial).toBeNull()
  })

  test('a cut-off ends what was opened before it, and one event names it all', async () => {
    const role = newRole()
    const waiting = await endedLease(role)
    const active = await activeLease(role)
    const pending = await pendingLease(role)
    const elsewhere = await activeLease(newRole())
    const [{ now } = { now: null }] = await world.sql('SELECT clock_timestamp() AS now')
    if (!(now instanceof Date)) throw new Error('no time')
    const cutOff = new Date(now.getTime() + 1)
    await world.sql('SELECT pg_sleep(0.01)')
    const newer = await activeLease(role)
    const ended = await world.store.deniedSessions.underRoleLock(role, (denials) =>
      denials.endOpenedBefore(cutOff, 'AWSRevokeOlderSessions'),
    )
    expect(ended.map(({ leaseId, pending: minting }) => [leaseId, minting])).toEqual([
      [active, false],
      [pending, true],
    ])
    const reasons = await world.sql(
      `SELECT id, end_reason, due_at <= now() AS due FROM leases WHERE id = ANY($1) ORDER BY id`,
      [[waiting, active, pending, elsewhere, newer]],
    )
    expect(reasons).toEqual([
      { id: waiting, end_reason: 'operator', due: true },
      { id: active, end_reason: 'role_revoked', due: true },
      { id: pending, end_reason: 'role_revoked', due: false },
      { id: elsewhere, end_reason: null, due: false },
      { id: newer, end_reason: null, due: false },
    ])
    expect(
      await world.sql(`SELECT data FROM audit_events WHERE type = 'aws.role_revoked'`),
    ).toMatchObject([
      { data: { roleArn: role, policy: 'AWSRevokeOlderSessions', alsoEnded: [active, pending] } },
    ])
    expect(
      await world.sql(
        `SELECT data->>'reason' AS reason FROM audit_events
           WHERE type = 'lease.ended' AND lease_id = $1`,
        [active],
      ),
    ).toEqual([{ reason: 'role_revoked' }])
  })

  test('a repaired policy is an audit event', async () => {
    const role = newRole()
    await world.store.deniedSessions.underRoleLock(role, (denials) =>
      denials.reportRepair('MayflyRevokedSessions', ['lea_1']),
    )
    expect(
      await world.sql(`SELECT data FROM audit_events WHERE type = 'aws.deny_policy_repaired'`),
    ).toEqual([{ data: { roleArn: role, policy: 'MayflyRevokedSessions', missing: ['lea_1'] } }])
  })
})

describe('R76 the lock of a role', () => {
  test('lets one worker write at a time, in all processes, and other roles meanwhile', async () => {
    const [role, other] = [newRole(), newRole()]
    const second = world.another()
    let inside = 0
    let most = 0
    const work = async (): Promise<void> => {
      inside += 1
      most = Math.max(most, inside)
      await world.sql('SELECT pg_sleep(0.01)')
      inside -= 1
    }
    let release = (): void => undefined
    const held = new Promise<void>((resolve) => (release = resolve))
    const holding = world.store.deniedSessions.underRoleLock(role, () => held)
    const waiting = Array.from({ length: 20 }, (_, index) =>
      (index % 2 ? second : world.store).deniedSessions.underRoleLock(role, work),
    )
    // Twenty wait for one role, and neither another role nor a reader has to wait for them.
    await world.store.deniedSessions.underRoleLock(other, work)
    expect(await world.store.deniedSessions.find('lea_unknown')).toBeNull()
    most = 0
    release()
    await Promise.all([holding, ...waiting])
    expect({ most, inside }).toEqual({ most: 1, inside: 0 })
  })

  test('is let go of when the work fails', async () => {
    const role = newRole()
    const failing = world.store.deniedSessions.underRoleLock(role, () =>
      Promise.reject(new Error('IAM is down')),
    )
    await expect(failing).rejects.toThrow('IAM is down')
    await expect(
      world.another().deniedSessions.underRoleLock(role, () => Promise.resolve('done')),
    ).resolves.toBe('done')
  })

  test('is lost with its session, and then nothing more can be written down under it', async () => {
    const role = newRole()
    const id = await endedLease(role)
    const cut = world.store.deniedSessions.underRoleLock(role, async (denials) => {
      await world.sql(
        `SELECT pg_terminate_backend(l.pid) FROM pg_locks l
           WHERE l.locktype = 'advisory' AND l.classid = 19788 AND l.granted
             AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
      )
      await denials.forget([id])
      await denials.record({ policy: 'P', cutOff: null, leaseIds: [id] })
    })
    await expect(cut).rejects.toMatchObject({ code: 'database_unavailable' })
    expect((await world.another().deniedSessions.find(id))?.denial).toBeNull()
  })
})
