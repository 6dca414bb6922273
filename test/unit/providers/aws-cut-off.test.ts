import { DeleteRolePolicyCommand, IAMClient, PutRolePolicyCommand } from '@aws-sdk/client-iam'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'

import {
  openAwsStandin,
  REVOKER_KEYS,
  ROLE_ARN,
  type AwsFixture,
} from '../../contract/aws-fixture.ts'
import { PROPAGATION_SECONDS, revocationsOf } from '../../support/aws-revocations.ts'

let fixture: AwsFixture
/** As long as real ones. */
const fillerId = (index: number) => `lea_01K9${String(index).padStart(22, '0')}`
beforeEach(async () => {
  fixture = await openAwsStandin({
    settings: { revokeOlderSessionsOnOverflow: true },
    standin: { propagationMs: 1000 },
  })
  for (let index = 0; index < 252; index += 1) fixture.denials.end(fillerId(index))
  // And the last few characters, which the short ids below would fit into.
  fixture.denials.end('lea_sixteen_char')
})
afterEach(() => fixture.stop())
const { after, mint, lost, revoke, verify, calls, live } = revocationsOf(() => fixture)

const NAME = { RoleName: 'artifacts', PolicyName: 'AWSRevokeOlderSessions' }
const somebody = () =>
  new IAMClient({ region: 'eu-west-1', endpoint: fixture.aws.url.href, credentials: REVOKER_KEYS })
const cutOff = () => new Date((Math.floor(fixture.clock.now().getTime() / 1000) + 1) * 1000)
const putOlder = (Condition: unknown) =>
  somebody().send(
    new PutRolePolicyCommand({
      ...NAME,
      PolicyDocument: JSON.stringify({
        Version: '2012-10-17',
        Statement: [{ Effect: 'Deny', Action: ['*'], Resource: ['*'], Condition }],
      }),
    }),
  )

describe('R76 the last way out of a full role', () => {
  test('ends every older session, says so, and ends their leases in the database', async () => {
    const { handle } = await mint('lea_wanted')
    await mint('lea_bystander')
    fixture.denials.end('lea_wanted')
    const before = cutOff()
    await revoke(handle)
    expect(fixture.denials.ended).toEqual(['lea_bystander'])
    expect(await verify(handle)).toMatchObject({
      dead: false,
      reason: `role-wide Deny for sessions issued before ${before.toISOString()} in AWSRevokeOlderSessions is written and IAM may still be propagating it`,
    })
    await fixture.clock.advance(2)
    await mint('lea_newer')
    expect(live()).toEqual(['lea_newer'])
    await fixture.clock.advance(3)
    expect(await verify(handle)).toEqual({
      dead: true,
      proof: `role-wide Deny for sessions issued before ${before.toISOString()} in AWSRevokeOlderSessions read back from ${ROLE_ARN} 5 s after it was written`,
    })
  })

  test('serves the leases that it ended as well, with no write of their own', async () => {
    const wanted = await mint('lea_wanted')
    const bystander = await mint('lea_bystander')
    fixture.denials.end('lea_wanted')
    await revoke(wanted.handle)
    const soFar = calls()
    await revoke(bystander.handle)
    expect(calls()).toEqual(soFar)
    await fixture.clock.advance(PROPAGATION_SECONDS)
    expect(await verify(bystander.handle)).toMatchObject({
      dead: true,
      proof: expect.stringMatching(/^role-wide Deny/),
    })
  })

  test('proves the death of a mint whose answer was lost, by the cut-off', async () => {
    fixture.aws.faults.next({ kind: 'lost' })
    await expect(mint('lea_lost')).rejects.toMatchObject({ effect: 'unknown' })
    await fixture.clock.advance(30)
    fixture.denials.end('lea_lost')
    expect(await verify(lost('lea_lost'))).toMatchObject({ dead: false })
    await revoke(lost('lea_lost'))
    await fixture.clock.advance(PROPAGATION_SECONDS)
    expect([live(), await verify(lost('lea_lost'))]).toMatchObject([
      [],
      { dead: true, proof: expect.stringMatching(/^role-wide Deny/) },
    ])
  })

  test('does not count for a mint that may still be under way', async () => {
    const { handle } = await mint('lea_wanted')
    fixture.denials.end('lea_wanted')
    fixture.denials.end('lea_under_way', { pending: true })
    await revoke(handle)
    expect(fixture.denials.denialOf('lea_under_way')).toBeNull()
  })

  test('covers no session that AWS issued after it, by its own clock', async () => {
    const { handle } = await mint('lea_wanted')
    fixture.denials.end('lea_wanted')
    await revoke(handle)
    await fixture.clock.advance(5)
    const newer = await mint('lea_newer')
    // A worker whose database is behind AWS has put it down as covered.
    const early = fixture.denials.denialOf('lea_wanted')?.cutOff ?? null
    await fixture.denials.underRoleLock(ROLE_ARN, (denials) =>
      denials.record({ policy: NAME.PolicyName, cutOff: early, leaseIds: ['lea_newer'] }),
    )
    fixture.denials.end('lea_newer')
    await fixture.clock.advance(PROPAGATION_SECONDS)
    expect([live(), await verify(newer.handle)]).toMatchObject([['lea_newer'], { dead: false }])
    await revoke(newer.handle)
    await fixture.clock.advance(PROPAGATION_SECONDS)
    expect([live(), await verify(newer.handle)]).toMatchObject([[], { dead: true }])
  })

  test('never brings an older instant than the one that stands', async () => {
    const standing = after(20)
    await putOlder({ DateLessThan: { 'aws:TokenIssueTime': standing.toISOString() } })
    const { handle } = await mint('lea_wanted')
    fixture.denials.end('lea_wanted')
    await revoke(handle)
    expect(fixture.denials.denialOf('lea_wanted')).toMatchObject({ cutOff: standing })
  })

  test('does not touch a policy of that name which says something else', async () => {
    await putOlder({ StringEquals: { 'aws:PrincipalTag/team': 'red' } })
    const { handle } = await mint('lea_wanted')
    const puts = calls('PutRolePolicy').length
    fixture.denials.end('lea_wanted')
    await expect(revoke(handle)).rejects.toMatchObject({
      code: 'provider_unavailable',
      details: { reason: 'cut_off_foreign' },
    })
    // Only the names were written, and nobody else was ended.
    expect(calls('PutRolePolicy').length).toBe(puts + 1)
    expect(fixture.denials.ended).toEqual([])
  })

  test('is put back by the next write when somebody took it away, and its wait begins anew', async () => {
    const { handle } = await mint('lea_wanted')
    fixture.denials.end('lea_wanted')
    await revoke(handle)
    await somebody().send(new DeleteRolePolicyCommand(NAME))
    await fixture.clock.advance(PROPAGATION_SECONDS)
    fixture.denials.end(fillerId(0), { sealedAt: new Date(0) })
    const other = await mint('lea_other')
    fixture.denials.end('lea_other')
    await revoke(other.handle)
    expect(fixture.denials.denialOf('lea_other')?.policy).toBe('MayflyRevokedSessions')
    expect(fixture.denials.repairs).toEqual([
      { policy: 'AWSRevokeOlderSessions', missing: ['lea_wanted'] },
    ])
    expect(await verify(handle)).toMatchObject({ dead: false, sentAt: after(0) })
    await fixture.clock.advance(PROPAGATION_SECONDS)
    expect([live(), await verify(handle)]).toMatchObject([[], { dead: true }])
  })

  test('is an error like any other when even that finds no room', async () => {
    const { handle } = await mint('lea_wanted')
    fixture.denials.end('lea_wanted')
    await revoke(lost(fillerId(0)))
    fixture.aws.faults.next({
      ...{ kind: 'error', status: 409, code: 'LimitExceeded' },
      ...{ operation: 'PutRolePolicy', times: 9 },
    })
    await expect(revoke(handle)).rejects.toMatchObject({ details: { reason: 'deny_policy_full' } })
    expect(await verify(handle)).toMatchObject({ dead: false })
  })
})
