import {
  DetachRolePolicyCommand,
  GetRolePolicyCommand,
  IAMClient,
  PutRolePolicyCommand,
} from '@aws-sdk/client-iam'
import type { Json } from '@mayfly/core'
import { afterEach, describe, expect, test } from '@jest/globals'

import {
  ACCOUNT,
  openAwsStandin,
  REVOKER_KEYS,
  ROLE_ARN,
  type AwsFixture,
} from '../../contract/aws-fixture.ts'
import { PROPAGATION_SECONDS, revocationsOf } from '../../support/aws-revocations.ts'

/** Sessions that the one inline policy can name, with lease ids of 30 characters. */
const INLINE_CAPACITY = 252
/** And each managed policy. */
const MANAGED_CAPACITY = 171
/** What is left of 10,240 characters for the role's own policies and a cut-off. */
const KEPT_FREE = 1240

let fixture: AwsFixture
afterEach(() => fixture.stop())
const { mint, lost, revoke, verify, calls, live } = revocationsOf(() => fixture)

async function open(settings: Record<string, Json> = {}, quota = 10): Promise<void> {
  fixture = await openAwsStandin({
    settings,
    standin: { propagationMs: 1000, attachedPolicyQuota: quota, managedPolicies: PEOPLES },
    timeoutMs: 20_000,
  })
}

const PEOPLES = {
  [`arn:aws:iam::${ACCOUNT}:policy/Audit`]: {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: 's3:ListBucket', Resource: '*' }],
  },
}
const iam = () =>
  new IAMClient({ region: 'eu-west-1', endpoint: fixture.aws.url.href, credentials: REVOKER_KEYS })

let made = 0
/** As long as real ones, and in the order of making. */
function nextId(): string {
  made += 1
  return `lea_01K9${String(made).padStart(22, '0')}`
}

/** Leases that ended early, whose sessions nobody needs to mint for this. */
function endMany(count: number): readonly string[] {
  const ids = Array.from({ length: count }, nextId)
  for (const id of ids) fixture.denials.end(id)
  return ids
}

/** Revokes one more session that works, and everybody's with it. */
async function revokeOne(): Promise<{ id: string; outcome: unknown }> {
  const id = nextId()
  const { handle } = await mint(id)
  fixture.denials.end(id)
  const outcome = await revoke(handle).then(
    () => 'revoked',
    (error: unknown) => error,
  )
  return { id, outcome }
}

const policiesOf = (ids: readonly string[]): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {}
  for (const id of ids) {
    const policy = fixture.denials.denialOf(id)?.policy ?? 'none'
    counts[policy] = (counts[policy] ?? 0) + 1
  }
  return counts
}

const FULL = {
  code: 'provider_unavailable',
  retryable: true,
  details: { reason: 'deny_policy_full', roleArn: ROLE_ARN },
}

describe('R76 what one role can deny', () => {
  test(`is ${String(INLINE_CAPACITY)} sessions in one write, and the next one says that it is full`, async () => {
    await open()
    const ids = endMany(INLINE_CAPACITY - 1)
    const last = await revokeOne()
    expect(last.outcome).toBe('revoked')
    expect(policiesOf([...ids, last.id])).toEqual({ MayflyRevokedSessions: INLINE_CAPACITY })
    expect(calls()).toEqual(['GetRolePolicy', 'PutRolePolicy'])
    const { PolicyDocument = '' } = await iam().send(
      new GetRolePolicyCommand({ RoleName: 'artifacts', PolicyName: 'MayflyRevokedSessions' }),
    )
    const { length } = decodeURIComponent(PolicyDocument)
    process.stderr.write(
      `AWS capacity: ${String(INLINE_CAPACITY)} sessions per role inline (${String(length)} characters), ${String(MANAGED_CAPACITY)} more per managed policy\n`,
    )
    expect(length).toBeLessThanOrEqual(10_240 - KEPT_FREE)
    expect(length + 36).toBeGreaterThan(10_240 - KEPT_FREE)

    const tooMany = await revokeOne()
    expect(tooMany.outcome).toMatchObject(FULL)
    expect(calls('PutRolePolicy')).toHaveLength(1)
    await fixture.clock.advance(PROPAGATION_SECONDS)
    expect(live()).toEqual([tooMany.id])
  })

  test('is less when other inline policies have taken room, and most of it is used', async () => {
    await open()
    const filler = 'x'.repeat(4000)
    await iam().send(
      new PutRolePolicyCommand({
        RoleName: 'artifacts',
        PolicyName: 'Peoples',
        PolicyDocument: JSON.stringify({
          Version: '2012-10-17',
          Statement: [
            { Effect: 'Allow', Action: 's3:GetObject', Resource: `arn:aws:s3:::${filler}` },
          ],
        }),
      }),
    )
    const ids = endMany(240)
    const { id } = await revokeOne()
    const { MayflyRevokedSessions = 0 } = policiesOf([...ids, id])
    // 6,000 characters are free, which is 165 sessions. It is found by halves.
    expect(MayflyRevokedSessions).toBeGreaterThan(100)
    expect(calls('PutRolePolicy').length).toBeLessThan(8)
  })

  test(`is ${String(MANAGED_CAPACITY)} more for each managed policy that the connection allows`, async () => {
    await open({ extraDenyPolicies: 2 })
    const ids = endMany(INLINE_CAPACITY + 2 * MANAGED_CAPACITY - 1)
    const last = await revokeOne()
    expect(last.outcome).toBe('revoked')
    expect(policiesOf([...ids, last.id])).toEqual({
      MayflyRevokedSessions: INLINE_CAPACITY,
      'MayflyRevokedSessions-artifacts-1': MANAGED_CAPACITY,
      'MayflyRevokedSessions-artifacts-2': MANAGED_CAPACITY,
    })
    expect((await revokeOne()).outcome).toMatchObject(FULL)
  })
})

describe('R76 managed deny policies', () => {
  test('deny, are proof once read back, and none when somebody detached them', async () => {
    await open({ extraDenyPolicies: 1 })
    endMany(INLINE_CAPACITY)
    const id = nextId()
    const { handle } = await mint(id)
    fixture.denials.end(id)
    await revoke(handle)
    const { policy } = fixture.denials.denialOf(id) ?? {}
    expect(policy).toBe('MayflyRevokedSessions-artifacts-1')
    await fixture.clock.advance(PROPAGATION_SECONDS)
    expect(live()).toEqual([])
    expect(await verify(handle)).toEqual({
      dead: true,
      proof: `Deny for session ${id} in MayflyRevokedSessions-artifacts-1 read back from ${ROLE_ARN} 5 s after it was written`,
    })
    await iam().send(
      new DetachRolePolicyCommand({
        RoleName: 'artifacts',
        PolicyArn: `arn:aws:iam::${ACCOUNT}:policy/${policy ?? ''}`,
      }),
    )
    await fixture.clock.advance(1)
    expect(live()).toEqual([id])
    expect(await verify(handle)).toMatchObject({ dead: false })
    await revoke(handle)
    await fixture.clock.advance(PROPAGATION_SECONDS)
    expect([live(), await verify(handle)]).toMatchObject([[], { dead: true }])
    expect(fixture.denials.repairs).toEqual([])
  })

  test('are rewritten more often than IAM keeps versions', async () => {
    await open({ extraDenyPolicies: 1 })
    endMany(INLINE_CAPACITY)
    const ids: string[] = []
    for (let count = 0; count < 12; count += 1) ids.push((await revokeOne()).id)
    expect(policiesOf(ids)).toEqual({ 'MayflyRevokedSessions-artifacts-1': 12 })
    expect(calls('CreatePolicy')).toHaveLength(1)
    expect(calls('DeletePolicyVersion').length).toBeGreaterThan(0)
    await fixture.clock.advance(1)
    expect(live()).toEqual([])
  })

  test('one session denied stays where it is when room appears in front of it', async () => {
    await open({ extraDenyPolicies: 1 })
    const early = endMany(INLINE_CAPACITY)
    const { id } = await revokeOne()
    for (const gone of early.slice(0, 10)) fixture.denials.end(gone, { sealedAt: new Date(0) })
    const next = await revokeOne()
    expect(policiesOf([id])).toEqual({ 'MayflyRevokedSessions-artifacts-1': 1 })
    expect(policiesOf([next.id])).toEqual({ MayflyRevokedSessions: 1 })
    await fixture.clock.advance(1)
    expect(live()).toEqual([])
  })

  test('that would name nobody are detached, and used again', async () => {
    await open({ extraDenyPolicies: 1 })
    const early = endMany(INLINE_CAPACITY + 1)
    await revoke(lost(early.at(-1) ?? ''))
    for (const gone of early) fixture.denials.end(gone, { sealedAt: new Date(0) })
    await revokeOne()
    expect(calls('DetachRolePolicy')).toHaveLength(1)
    endMany(INLINE_CAPACITY)
    expect((await revokeOne()).outcome).toBe('revoked')
    expect(calls('CreatePolicy')).toHaveLength(1)
    await fixture.clock.advance(1)
    expect(live()).toEqual([])
  })

  test('respect how many policies the role may have attached', async () => {
    await open({ extraDenyPolicies: 3 }, 1)
    const ids = endMany(INLINE_CAPACITY + MANAGED_CAPACITY)
    const last = await revokeOne()
    expect(last.outcome).toMatchObject(FULL)
    expect(policiesOf(ids)).toEqual({
      MayflyRevokedSessions: INLINE_CAPACITY,
      'MayflyRevokedSessions-artifacts-1': MANAGED_CAPACITY,
    })
  })

  test.each(['AccessDenied', 'Throttling'])('a %s is told, not taken for success', async (code) => {
    await open({ extraDenyPolicies: 1 })
    endMany(INLINE_CAPACITY)
    fixture.aws.faults.next({
      ...{ kind: 'error', status: 403, code, operation: 'AttachRolePolicy', times: 9 },
    })
    const { id, outcome } = await revokeOne()
    expect(outcome).toMatchObject({
      code: code === 'Throttling' ? 'provider_throttled' : 'provider_rejected',
    })
    expect(fixture.denials.denialOf(id)).toBeNull()
  })
})
