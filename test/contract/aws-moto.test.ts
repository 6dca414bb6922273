import {
  GetRolePolicyCommand,
  IAMClient,
  ListAttachedRolePoliciesCommand,
} from '@aws-sdk/client-iam'
import { Secret, type CredentialProvider, type Json, type MintRequest } from '@mayfly/core'
import { makeAwsProvider, parseAwsSettings } from '@mayfly/providers'
import { signS3Request, type AwsKeys } from '@mayfly/standins'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'

import { ALLOWED, callS3, MINTER_ARN, ROLE_ARN, SCOPE, settingsFor } from './aws-fixture.ts'
import { makeMemoryDenials } from '../support/memory-denials.ts'
import { furnish, motoVersion, startMoto, type Moto } from './aws-moto.ts'

const version = motoVersion()
process.stderr.write(
  version === null
    ? 'AWS contract: left out: moto_server not found\n'
    : `AWS contract: real server moto ${version}\n`,
)

/**
 * What another implementation of AWS can prove: that it accepts our requests and signatures, that
 * its refusals are understood, and that the deny policy goes to and fro. moto evaluates neither session
 * policies nor conditions outside trust policies, so what a session may do is left to the stand-in.
 */
const describeMoto = version === null ? describe.skip : describe

describeMoto('aws against moto, with IAM enforced', () => {
  const clock = { now: () => new Date() }
  const denials = makeMemoryDenials(clock)
  let moto: Moto
  let keys: Readonly<Record<string, AwsKeys>>

  beforeAll(async () => {
    moto = await startMoto()
    const allow = (Action: string | string[], Resource: string) => ({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action, Resource }],
    })
    keys = await furnish(moto, {
      role: { name: 'artifacts', policy: allow('s3:*', 'arn:aws:s3:::acme-artifacts*') },
      trusted: MINTER_ARN,
      users: {
        'mayfly-minter': allow('sts:AssumeRole', ROLE_ARN),
        'mayfly-revoker': allow(
          [
            'iam:GetRolePolicy',
            'iam:PutRolePolicy',
            'iam:DeleteRolePolicy',
            'iam:ListAttachedRolePolicies',
            'iam:AttachRolePolicy',
            'iam:DetachRolePolicy',
            'iam:CreatePolicy',
            'iam:CreatePolicyVersion',
            'iam:DeletePolicyVersion',
            'iam:GetPolicyVersion',
            'iam:ListPolicyVersions',
          ],
          '*',
        ),
        stranger: allow('s3:ListAllMyBuckets', '*'),
      },
    })
    const root = { accessKeyId: 'AKIAROOT', secretAccessKey: 'root' }
    const bucket = {
      method: 'PUT',
      arn: 'arn:aws:s3:::acme-artifacts',
      region: 'us-east-1',
    } as const
    expect((await fetch(await signS3Request(moto.url, root, bucket))).status).toBe(200)
    await moto.enforce()
  }, 60_000)

  afterAll(async () => {
    await moto.stop()
  })

  function providerAs(
    minter: string,
    revoker: string,
    more: Record<string, Json> = {},
  ): CredentialProvider {
    const identity = (user: string) => ({
      accessKeyId: keys[user]?.accessKeyId ?? '',
      secretAccessKey: `env:${user.replace(/-/g, '_')}`,
    })
    return makeAwsProvider({
      settings: parseAwsSettings(
        settingsFor(moto.url, {
          minter: identity(minter),
          revoker: identity(revoker),
          propagationSeconds: 1,
          ...more,
        }),
      ),
      resolveSecret: (reference) =>
        new Secret(keys[reference.slice(4).replace(/_/g, '-')]?.secretAccessKey ?? ''),
      deniedSessions: denials,
      clock,
      timeoutMs: 10_000,
    })
  }

  const iamAs = (user: string) =>
    new IAMClient({
      region: 'eu-west-1',
      endpoint: moto.url.href,
      credentials: keys[user] ?? { accessKeyId: '', secretAccessKey: '' },
    })

  const request = (leaseId: string): MintRequest => ({
    leaseId,
    taskId: 'tsk_1',
    agent: 'claude-payments',
    owner: 'ada@acme.example',
    template: 'artifact-upload',
    ttlSeconds: 600,
    expiresAt: new Date(Date.now() + 600_000),
  })
  const soon = () => AbortSignal.timeout(10_000)

  test('R73 R76 R77 a session is minted by one identity, denied by the other, and the Deny is read back', async () => {
    const provider = providerAs('mayfly-minter', 'mayfly-revoker')
    const prepared = provider.prepare(SCOPE)
    const before = Date.now()
    const { credential, credentialExpiresAt, handle } = await prepared.mint(
      request('lea_moto1'),
      soon(),
    )
    const lifetime = (credentialExpiresAt.getTime() - before) / 1000
    expect({ short: lifetime < 895, long: lifetime > 960 }).toEqual({ short: false, long: false })
    expect(await callS3(moto.url, credential, { method: 'PUT', arn: ALLOWED })).toBe(200)

    denials.end('lea_moto1')
    await provider.revoke(handle, soon(), new Date())
    const sentAt = clock.now()
    expect(
      await provider.verifyDead(handle, { leaseId: 'lea_moto1', sentAt, now: sentAt }, soon()),
    ).toEqual({
      dead: false,
      reason:
        'Deny for session lea_moto1 in MayflyRevokedSessions is written and IAM may still be propagating it',
      retryAt: expect.any(Date),
      sentAt: expect.any(Date),
    })
    const now = new Date(sentAt.getTime() + 1000)
    expect(
      await provider.verifyDead(handle, { leaseId: 'lea_moto1', sentAt, now }, soon()),
    ).toEqual({
      dead: true,
      proof: `Deny for session lea_moto1 in MayflyRevokedSessions read back from ${ROLE_ARN} 1 s after it was written`,
    })
    expect(await callS3(moto.url, credential, { method: 'PUT', arn: ALLOWED })).toBe(403)

    const iam = iamAs('mayfly-revoker')
    const { PolicyDocument } = await iam.send(
      new GetRolePolicyCommand({ RoleName: 'artifacts', PolicyName: 'MayflyRevokedSessions' }),
    )
    expect(JSON.parse(decodeURIComponent(PolicyDocument ?? ''))).toMatchObject({
      Statement: [{ Effect: 'Deny', Condition: { StringLike: { 'aws:userid': ['*:lea_moto1'] } } }],
    })
  })

  test('R76 what the inline policy has no room for goes into managed policies, over and over', async () => {
    const provider = providerAs('mayfly-minter', 'mayfly-revoker', { extraDenyPolicies: 1 })
    const revokeAs = async (leaseId: string) => {
      const handle = provider.prepare(SCOPE).handleBeforeMint(leaseId)
      if (!handle) throw new Error('AWS always has a handle before the mint')
      denials.end(leaseId)
      await provider.revoke(handle, soon(), new Date())
      return handle
    }
    for (let index = 0; index < 300; index += 1)
      denials.end(`lea_01K9${String(index).padStart(22, '0')}`)
    let handle = await revokeAs('lea_01K9ZZZZZZZZZZZZZZZZZZZZZZ')
    // Once more than IAM keeps versions of a policy, and then some.
    for (let index = 0; index < 7; index += 1)
      handle = await revokeAs(`lea_01K9ZZZZZZZZZZZZZZZZZZZZZ${String(index)}`)
    expect(denials.denialOf('lea_01K9ZZZZZZZZZZZZZZZZZZZZZ6')).toMatchObject({
      policy: 'MayflyRevokedSessions-artifacts-1',
    })
    const now = new Date(Date.now() + 1000)
    const sent = { leaseId: 'lea_1', sentAt: now, now }
    expect(await provider.verifyDead(handle, sent, soon())).toMatchObject({
      dead: true,
      proof: expect.stringContaining('in MayflyRevokedSessions-artifacts-1 read back'),
    })

    // A minute later all of their leases are over, and another one is revoked.
    for (let index = 0; index < 300; index += 1)
      denials.end(`lea_01K9${String(index).padStart(22, '0')}`, { sealedAt: new Date(0) })
    for (const last of ['Z', '0', '1', '2', '3', '4', '5', '6'])
      denials.end(`lea_01K9ZZZZZZZZZZZZZZZZZZZZZ${last}`, { sealedAt: new Date(0) })
    await revokeAs('lea_moto2')
    const iam = iamAs('mayfly-revoker')
    const { AttachedPolicies } = await iam.send(
      new ListAttachedRolePoliciesCommand({ RoleName: 'artifacts' }),
    )
    expect(AttachedPolicies).toEqual([])
  })

  test('a stranger is refused for good, by name and without provider text', async () => {
    const provider = providerAs('stranger', 'mayfly-revoker')
    await expect(provider.prepare(SCOPE).mint(request('lea_moto3'), soon())).rejects.toMatchObject({
      code: 'provider_rejected',
      effect: 'none',
      retryable: false,
      details: { reason: 'access_denied' },
    })
  })

  test('R77 the minter cannot lift or write a Deny', async () => {
    const provider = providerAs('stranger', 'mayfly-minter')
    const handle = provider.prepare(SCOPE).handleBeforeMint('lea_moto4')
    if (!handle) throw new Error('AWS always has a handle before the mint')
    denials.end('lea_moto4')
    await expect(provider.revoke(handle, soon(), new Date())).rejects.toMatchObject({
      code: 'provider_rejected',
      details: { reason: 'access_denied' },
    })
  })

  test('keys that AWS does not know are told apart from a role that refuses', async () => {
    const settings = settingsFor(moto.url, {
      minter: {
        accessKeyId: keys['mayfly-minter']?.accessKeyId ?? '',
        secretAccessKey: 'env:WRONG',
      },
    })
    const provider = makeAwsProvider({
      settings: parseAwsSettings(settings),
      resolveSecret: () => new Secret('wrong'),
      deniedSessions: denials,
      clock,
      timeoutMs: 10_000,
    })
    await expect(provider.prepare(SCOPE).mint(request('lea_moto5'), soon())).rejects.toMatchObject({
      code: 'provider_rejected',
      effect: 'none',
      details: { reason: 'broker_credentials_refused' },
    })
  })
})
