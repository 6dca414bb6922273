import type { Death, MintRequest, RevocationHandle } from '@mayfly/core'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'

import { openAwsStandin, ROLE_ARN, SCOPE, type AwsFixture } from '../../contract/aws-fixture.ts'

const soon = () => AbortSignal.timeout(10_000)
const PROPAGATION_SECONDS = 5
let fixture: AwsFixture

beforeEach(async () => {
  fixture = await openAwsStandin({ standin: { propagationMs: 3000 } })
})
afterEach(() => fixture.stop())

function after(seconds: number): Date {
  return new Date(fixture.clock.now().getTime() + seconds * 1000)
}

async function mint(leaseId: string, ttlSeconds = 900) {
  const request: MintRequest = {
    leaseId,
    taskId: 'tsk_1',
    agent: 'claude-payments',
    owner: 'ada@acme.example',
    template: 'artifact-upload',
    ttlSeconds,
    expiresAt: after(ttlSeconds),
  }
  return fixture.provider.prepare(SCOPE).mint(request, soon())
}

function beforeMint(leaseId: string): RevocationHandle {
  const handle = fixture.provider.prepare(SCOPE).handleBeforeMint(leaseId)
  if (!handle) throw new Error('AWS always has a handle before the mint')
  return handle
}

const revoke = (handle: RevocationHandle) => fixture.provider.revoke(handle, soon())
const verify = (handle: RevocationHandle, sentAt = fixture.clock.now()): Promise<Death> =>
  fixture.provider.verifyDead(
    handle,
    { leaseId: 'lea_1', sentAt, now: fixture.clock.now() },
    soon(),
  )
const writes = () => fixture.aws.requests().filter((name) => name.endsWith('RolePolicy'))

describe('R76 early revocation', () => {
  test('waits for IAM to propagate before it calls the session dead', async () => {
    const { credential, handle } = await mint('lea_1')
    fixture.ids.push('lea_1')
    await revoke(handle)
    const sentAt = fixture.clock.now()
    expect(await verify(handle, sentAt)).toEqual({
      dead: false,
      reason: 'the Deny is in place and IAM may still be propagating it',
      retryAt: after(PROPAGATION_SECONDS),
    })
    // Why it waits: the session still works.
    expect(await fixture.works(credential)).toBe(true)
    await fixture.clock.advance(3)
    expect(await fixture.works(credential)).toBe(false)
    await fixture.clock.advance(2)
    expect(await verify(handle, sentAt)).toEqual({
      dead: true,
      proof: `Deny for session lea_1 in MayflyRevokedSessions read back from ${ROLE_ARN} 5 s after it was written`,
    })
  })

  test('writes one document for all sessions of a role that are ending, and skips it when it is there', async () => {
    const one = await mint('lea_1')
    const two = await mint('lea_2')
    fixture.ids.push('lea_1', 'lea_2')
    await revoke(one.handle)
    await revoke(two.handle)
    await revoke(one.handle)
    expect(writes()).toEqual(['GetRolePolicy', 'PutRolePolicy', 'GetRolePolicy', 'GetRolePolicy'])
    await fixture.clock.advance(3)
    expect(fixture.aws.live()).toEqual([])
  })

  test('drops sessions that the database no longer lists, and deletes a policy that denies nobody', async () => {
    await mint('lea_1')
    fixture.ids.push('lea_1', 'lea_2')
    await revoke(beforeMint('lea_1'))
    fixture.ids.splice(0, 1)
    await revoke(beforeMint('lea_2'))
    await fixture.clock.advance(5)
    // Another session of the same role lives again, so its name had left the document.
    expect(fixture.aws.live().map(({ sessionName }) => sessionName)).toEqual(['lea_1'])
    fixture.ids.splice(0)
    await revoke(beforeMint('lea_2'))
    await revoke(beforeMint('lea_2'))
    expect(writes().slice(-3)).toEqual(['GetRolePolicy', 'DeleteRolePolicy', 'GetRolePolicy'])
  })

  test('denies a session that is known to work even if the list has lost it', async () => {
    const { handle } = await mint('lea_1')
    await revoke(handle)
    await fixture.clock.advance(3)
    expect(fixture.aws.live()).toEqual([])
  })

  test('a Deny that somebody removed is no proof, and is written again', async () => {
    const { handle } = await mint('lea_1')
    fixture.ids.push('lea_1')
    await revoke(handle)
    fixture.ids.splice(0)
    await revoke(beforeMint('lea_1'))
    fixture.ids.push('lea_1')
    await fixture.clock.advance(PROPAGATION_SECONDS)
    expect(await verify(handle, after(-PROPAGATION_SECONDS))).toMatchObject({
      dead: false,
      reason: 'no Deny for this session is in place',
    })
    await revoke(handle)
    await fixture.clock.advance(3)
    expect(fixture.aws.live()).toEqual([])
  })

  test.each(['Throttling', 'ConcurrentModification'])('goes on after %s', async (code) => {
    const { handle } = await mint('lea_1')
    fixture.aws.faults.next({
      kind: 'error',
      status: code === 'Throttling' ? 400 : 409,
      code,
      operation: 'PutRolePolicy',
    })
    await revoke(handle)
    expect(writes()).toEqual(['GetRolePolicy', 'PutRolePolicy', 'PutRolePolicy'])
  })

  test.each([
    [
      { kind: 'error', status: 403, code: 'AccessDenied' } as const,
      { code: 'provider_rejected', retryable: false, details: { reason: 'access_denied' } },
    ],
    [
      { kind: 'error', status: 500, code: 'ServiceFailure', times: 9 } as const,
      { code: 'provider_unavailable', retryable: true },
    ],
    [
      { kind: 'error', status: 400, code: 'Throttling', times: 9 } as const,
      { code: 'provider_throttled', retryable: true },
    ],
    [
      { kind: 'error', status: 409, code: 'ConcurrentModification', times: 9 } as const,
      { code: 'provider_throttled', retryable: true },
    ],
    [{ kind: 'garbage' } as const, { code: 'provider_unavailable', retryable: true }],
  ])('fails loudly on %j', async (fault, error) => {
    const { handle } = await mint('lea_1')
    fixture.aws.faults.next({ ...fault, operation: 'PutRolePolicy' })
    await expect(revoke(handle)).rejects.toMatchObject(error)
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
    expect(writes()).toEqual([])
  })

  test('is the proof too when it comes before the Deny is in force', async () => {
    const { handle } = await mint('lea_1', 3)
    await revoke(handle)
    const { retryAt } = { retryAt: null, ...(await verify(handle)) }
    expect(retryAt && retryAt <= after(4)).toBe(true)
    await fixture.clock.advance(PROPAGATION_SECONDS)
    expect(await verify(handle, after(-1))).toMatchObject({
      dead: true,
      proof: expect.stringMatching(/^every Allow ended/),
    })
  })

  test('is not known for a mint whose answer was lost, so a Deny is written', async () => {
    fixture.aws.faults.next({ kind: 'lost' })
    await expect(mint('lea_1', 300)).rejects.toMatchObject({ effect: 'unknown' })
    const handle = beforeMint('lea_1')
    fixture.ids.push('lea_1')
    await revoke(handle)
    await fixture.clock.advance(3)
    expect(fixture.aws.live()).toEqual([])
    expect(await verify(handle)).toMatchObject({ dead: false })
    await fixture.clock.advance(2)
    expect(await verify(handle, after(-PROPAGATION_SECONDS))).toMatchObject({ dead: true })
  })
})

describe('R76 a full deny policy', () => {
  const many = Array.from(
    { length: 400 },
    (_, i) => `lea_01K9ZZZZZZZZZZZZZZZZZZZZ${String(i).padStart(4, '0')}`,
  )

  test('is a retryable error that says so, unless the connection allows more', async () => {
    const { handle } = await mint('lea_1')
    fixture.ids.push(...many, 'lea_1')
    await expect(revoke(handle)).rejects.toMatchObject({
      code: 'provider_unavailable',
      retryable: true,
      details: { reason: 'deny_policy_full', roleArn: ROLE_ARN },
    })
    expect(writes()).toEqual(['GetRolePolicy'])
    expect(await verify(handle)).toMatchObject({ dead: false })
  })

  test('also when other inline policies have taken the room', async () => {
    const { handle } = await mint('lea_1')
    fixture.aws.faults.next({
      kind: 'error',
      status: 409,
      code: 'LimitExceeded',
      times: 5,
      operation: 'PutRolePolicy',
    })
    await expect(revoke(handle)).rejects.toMatchObject({ details: { reason: 'deny_policy_full' } })
  })

  test('ends every older session of the role when the connection allows it, and no newer one', async () => {
    await fixture.stop()
    fixture = await openAwsStandin({ settings: { revokeOlderSessionsOnOverflow: true } })
    const old = await mint('lea_1')
    await mint('lea_bystander')
    fixture.ids.push(...many, 'lea_1')
    await revoke(old.handle)
    await revoke(old.handle)
    expect(writes().filter((name) => name === 'PutRolePolicy')).toEqual(['PutRolePolicy'])
    await fixture.clock.advance(2)
    await mint('lea_newer')
    expect(fixture.aws.live().map(({ sessionName }) => sessionName)).toEqual(['lea_newer'])
    await fixture.clock.advance(3)
    expect(await verify(old.handle, after(-PROPAGATION_SECONDS))).toEqual({
      dead: true,
      proof: `Deny for older sessions in AWSRevokeOlderSessions read back from ${ROLE_ARN} 5 s after it was written`,
    })
    // When this one was minted is not known, so the cut-off proves nothing about it.
    expect(await verify(beforeMint('lea_lost'), after(-PROPAGATION_SECONDS))).toMatchObject({
      dead: false,
    })
  })
})
