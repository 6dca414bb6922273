import {
  DeleteRolePolicyCommand,
  GetRolePolicyCommand,
  IAMClient,
  PutRolePolicyCommand,
} from '@aws-sdk/client-iam'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'

import {
  openAwsStandin,
  REVOKER_KEYS,
  ROLE_ARN,
  type AwsFixture,
} from '../../contract/aws-fixture.ts'
import { PROPAGATION_SECONDS, revocationsOf } from '../../support/aws-revocations.ts'

let fixture: AwsFixture
beforeEach(async () => {
  fixture = await openAwsStandin({ standin: { propagationMs: 3000 } })
})
afterEach(() => fixture.stop())

const { after, mint, lost, revoke, verify, calls, live } = revocationsOf(() => fixture)

/** Somebody with the rights to do so. */
const somebody = () =>
  new IAMClient({ region: 'eu-west-1', endpoint: fixture.aws.url.href, credentials: REVOKER_KEYS })
const NAME = { RoleName: 'artifacts', PolicyName: 'MayflyRevokedSessions' }
const removeDeny = () => somebody().send(new DeleteRolePolicyCommand(NAME))
const putDeny = (...Statement: unknown[]) =>
  somebody().send(
    new PutRolePolicyCommand({
      ...NAME,
      PolicyDocument: JSON.stringify({ Version: '2012-10-17', Statement }),
    }),
  )

describe('R76 early revocation', () => {
  test('waits for IAM to propagate before it calls the session dead', async () => {
    const { credential, handle } = await mint('lea_1')
    fixture.denials.end('lea_1')
    await revoke(handle)
    expect(await verify(handle)).toEqual({
      dead: false,
      reason:
        'Deny for session lea_1 in MayflyRevokedSessions is written and IAM may still be propagating it',
      retryAt: after(PROPAGATION_SECONDS),
      sentAt: after(0),
    })
    // Why it waits: the session still works.
    expect(await fixture.works(credential)).toBe(true)
    await fixture.clock.advance(3)
    expect(await fixture.works(credential)).toBe(false)
    await fixture.clock.advance(2)
    expect(await verify(handle)).toEqual({
      dead: true,
      proof: `Deny for session lea_1 in MayflyRevokedSessions read back from ${ROLE_ARN} 5 s after it was written`,
    })
  })

  test('the first writer writes for everybody, and the others do not even ask IAM', async () => {
    const minted = await Promise.all(['lea_1', 'lea_2', 'lea_3'].map((id) => mint(id)))
    for (const id of ['lea_1', 'lea_2', 'lea_3']) fixture.denials.end(id)
    await Promise.all(minted.map(({ handle }) => revoke(handle)))
    expect(calls()).toEqual(['GetRolePolicy', 'PutRolePolicy'])
    await fixture.clock.advance(3)
    expect(live()).toEqual([])
  })

  test('TEAM#279 two leases of one subject on one role never end each other', async () => {
    const [early, late] = [await mint('lea_1', 60), await mint('lea_2', 900)]
    // The first ends at its own time, then the second is revoked, and a third is minted meanwhile.
    await fixture.clock.advance(61)
    await revoke(early.handle)
    expect([await fixture.works(early.credential), await fixture.works(late.credential)]).toEqual([
      false,
      true,
    ])
    const third = await mint('lea_3')
    fixture.denials.end('lea_2')
    await revoke(late.handle)
    await fixture.clock.advance(3)
    expect(live()).toEqual(['lea_3'])
    // When the second's time is over, its entry makes way for the third's.
    await fixture.clock.advance(840)
    expect(live()).toEqual(['lea_3'])
    fixture.denials.end('lea_3')
    await revoke(third.handle)
    expect(await denied()).toEqual(['*:lea_3'])
    await fixture.clock.advance(3)
    expect(live()).toEqual([])
  })

  test('a session that died by itself leaves the document at the next write', async () => {
    const one = await mint('lea_1', 60)
    const two = await mint('lea_2')
    fixture.denials.end('lea_1')
    await revoke(one.handle)
    await fixture.clock.advance(61)
    fixture.denials.end('lea_2')
    await revoke(two.handle)
    expect(await denied()).toEqual(['*:lea_2'])
  })

  test('denies a session that is known to work even if the list has lost it', async () => {
    const { handle } = await mint('lea_1')
    await revoke(handle)
    await fixture.clock.advance(3)
    expect(live()).toEqual([])
  })

  async function denied(): Promise<readonly string[]> {
    const { PolicyDocument = '' } = await somebody().send(new GetRolePolicyCommand(NAME))
    const document = JSON.parse(decodeURIComponent(PolicyDocument)) as {
      Statement: [{ Condition: { StringLike: { 'aws:userid': string[] } } }]
    }
    return document.Statement[0].Condition.StringLike['aws:userid']
  }
})

describe('R76 a Deny that somebody touched', () => {
  test('is no proof when it is gone, is written again, and the wait begins anew', async () => {
    const { handle } = await mint('lea_1')
    fixture.denials.end('lea_1')
    await revoke(handle)
    await removeDeny()
    await fixture.clock.advance(PROPAGATION_SECONDS)
    expect(live()).toEqual(['lea_1'])
    expect(await verify(handle)).toMatchObject({
      dead: false,
      reason: 'no Deny for this session is in place',
    })
    await revoke(handle)
    expect(await verify(handle)).toMatchObject({
      dead: false,
      retryAt: after(PROPAGATION_SECONDS),
      sentAt: after(0),
    })
    await fixture.clock.advance(PROPAGATION_SECONDS)
    expect([live(), await verify(handle)]).toMatchObject([[], { dead: true }])
  })

  test('is restored for all by whoever writes next, and no wait that began before counts', async () => {
    const one = await mint('lea_1')
    const two = await mint('lea_2')
    fixture.denials.end('lea_1')
    await revoke(one.handle)
    await removeDeny()
    await fixture.clock.advance(PROPAGATION_SECONDS - 1)
    fixture.denials.end('lea_2')
    await revoke(two.handle)
    expect(fixture.denials.repairs).toEqual([
      { policy: 'MayflyRevokedSessions', missing: ['lea_1'] },
    ])
    await fixture.clock.advance(1)
    // Its first write is long enough ago, and the session works: the write that counts is the last.
    expect(live()).toEqual(['lea_1', 'lea_2'])
    expect(await verify(one.handle)).toMatchObject({ dead: false, sentAt: after(-1) })
    await fixture.clock.advance(PROPAGATION_SECONDS - 1)
    expect([live(), await verify(one.handle)]).toMatchObject([[], { dead: true }])
  })

  test.each([
    ['another statement', [{ Effect: 'Allow', Action: 's3:*', Resource: '*' }]],
    ['another condition', [deny({ StringLike: { 'aws:userid': ['*:lea_1', '*:lea_*'] } })]],
    ['a pattern of theirs', [deny({ StringLike: { 'aws:userid': ['*:lea_1', '*'] } })]],
    ['no condition', [{ Effect: 'Deny', Action: '*', Resource: '*' }]],
  ])('loses %s at the next write, which is reported', async (_what, statements) => {
    const { handle } = await mint('lea_1')
    await mint('lea_2')
    await putDeny(...statements)
    fixture.denials.end('lea_1')
    await revoke(handle)
    await fixture.clock.advance(3)
    expect(live()).toEqual(['lea_2'])
    expect(fixture.denials.repairs).toEqual([{ policy: 'MayflyRevokedSessions', missing: [] }])
  })

  test('that was written but not recorded counts from when it was found', async () => {
    const { handle } = await mint('lea_1')
    fixture.denials.end('lea_1')
    await putDeny({
      Sid: 'MayflyRevokedSessions',
      ...deny({ StringLike: { 'aws:userid': ['*:lea_1'] } }),
    })
    expect(await verify(handle)).toMatchObject({
      dead: false,
      reason: 'a Deny is in place, nobody knows since when',
    })
    await fixture.clock.advance(60)
    await revoke(handle)
    expect(await verify(handle)).toMatchObject({ dead: false, sentAt: after(0) })
  })

  function deny(Condition: unknown) {
    return { Effect: 'Deny', Action: '*', Resource: '*', Condition }
  }
})

describe('R76 an IAM that does not do as it is told', () => {
  test.each(['Throttling', 'ConcurrentModification'])('goes on after %s', async (code) => {
    const { handle } = await mint('lea_1')
    fixture.aws.faults.next({
      kind: 'error',
      status: code === 'Throttling' ? 400 : 409,
      code,
      operation: 'PutRolePolicy',
      times: 2,
    })
    await revoke(handle)
    expect(calls()).toEqual(['GetRolePolicy', 'PutRolePolicy', 'PutRolePolicy', 'PutRolePolicy'])
    expect(fixture.denials.denialOf('lea_1')).toMatchObject({ policy: 'MayflyRevokedSessions' })
  })

  test.each([
    [
      { kind: 'error', status: 403, code: 'AccessDenied' } as const,
      { code: 'provider_rejected', retryable: false, details: { reason: 'access_denied' } },
      1,
    ],
    [
      { kind: 'error', status: 500, code: 'ServiceFailure', times: 9 } as const,
      { code: 'provider_unavailable', retryable: true },
      3,
    ],
    [
      { kind: 'error', status: 400, code: 'Throttling', times: 9 } as const,
      { code: 'provider_throttled', retryable: true },
      3,
    ],
    [
      { kind: 'error', status: 409, code: 'ConcurrentModification', times: 9 } as const,
      { code: 'provider_throttled', retryable: true },
      4,
    ],
    [{ kind: 'garbage' } as const, { code: 'provider_unavailable', retryable: true }, 1],
  ])('fails loudly on %j, and nothing counts as written', async (fault, error, attempts) => {
    const { handle } = await mint('lea_1')
    fixture.denials.end('lea_1')
    fixture.aws.faults.next({ ...fault, operation: 'PutRolePolicy' })
    await expect(revoke(handle)).rejects.toMatchObject(error)
    expect(calls('PutRolePolicy')).toHaveLength(attempts)
    await fixture.clock.advance(60)
    expect(await verify(handle)).toMatchObject({ dead: false })
  })

  test('a write whose answer was lost is repeated, and counts from the answer', async () => {
    const { handle } = await mint('lea_1')
    fixture.denials.end('lea_1')
    fixture.aws.faults.next({ kind: 'lost', operation: 'PutRolePolicy', times: 3 })
    await expect(revoke(handle)).rejects.toMatchObject({ code: 'provider_unavailable' })
    await fixture.clock.advance(60)
    await revoke(handle)
    expect(await verify(handle)).toMatchObject({ dead: false, sentAt: after(0) })
  })
})

describe('R75 the end of a lease', () => {
  test('needs no IAM call: the session’s own policy has ended, which is the proof', async () => {
    const { credential, handle } = await mint('lea_1', 300)
    const sealedAt = new Date(Math.floor(after(300).getTime() / 1000) * 1000)
    await fixture.clock.advance(300)
    expect(await fixture.works(credential)).toBe(false)
    await revoke(handle)
    expect(await verify(handle)).toEqual({
      dead: false,
      reason: 'the session has just ended and clocks may differ',
      retryAt: new Date(sealedAt.getTime() + 1000),
    })
    await fixture.clock.advance(1)
    expect(await verify(handle)).toEqual({
      dead: true,
      proof: `every Allow ended at ${sealedAt.toISOString()} (aws:CurrentTime)`,
    })
    expect(calls()).toEqual([])
  })

  test('is the proof too when it comes before the Deny is in force', async () => {
    const { handle } = await mint('lea_1', 3)
    fixture.denials.end('lea_1')
    await revoke(handle)
    const { retryAt } = { retryAt: null, ...(await verify(handle)) }
    expect(retryAt && retryAt <= after(4)).toBe(true)
    await fixture.clock.advance(PROPAGATION_SECONDS)
    expect(await verify(handle)).toMatchObject({
      dead: true,
      proof: expect.stringMatching(/^every Allow ended/),
    })
  })

  test('of a mint whose answer was lost: before it a Deny is written, after it none is needed', async () => {
    fixture.aws.faults.next({ kind: 'lost', times: 2 })
    await expect(mint('lea_1', 300)).rejects.toMatchObject({ effect: 'unknown' })
    await expect(mint('lea_2', 300)).rejects.toMatchObject({ effect: 'unknown' })
    fixture.denials.end('lea_1')
    await revoke(lost('lea_1'))
    await fixture.clock.advance(PROPAGATION_SECONDS)
    expect(live()).toEqual(['lea_2'])
    expect(await verify(lost('lea_1'))).toMatchObject({ dead: true })

    // The other one was found only when the lease was over. Its policy carried that end.
    await fixture.clock.advance(300)
    expect(live()).toEqual([])
    const before = calls()
    await revoke(lost('lea_2'))
    expect(await verify(lost('lea_2'))).toMatchObject({
      dead: true,
      proof: expect.stringMatching(/^every Allow ended/),
    })
    expect(calls()).toEqual(before)
  })
})
