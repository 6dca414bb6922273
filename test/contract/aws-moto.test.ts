import { GetRolePolicyCommand, IAMClient } from '@aws-sdk/client-iam'
import { Secret, type CredentialProvider, type MintRequest } from '@mayfly/core'
import { makeAwsProvider, parseAwsSettings } from '@mayfly/providers'
import { signS3Request, type AwsKeys } from '@mayfly/standins'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'

import {
  ALLOWED,
  callS3,
  makeDeniedSessions,
  MINTER_ARN,
  ROLE_ARN,
  SCOPE,
  settingsFor,
} from './aws-fixture.ts'
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
  const deniedSessions = makeDeniedSessions()
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
          ['iam:GetRolePolicy', 'iam:PutRolePolicy', 'iam:DeleteRolePolicy'],
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

  function providerAs(minter: string, revoker: string): CredentialProvider {
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
        }),
      ),
      resolveSecret: (reference) =>
        new Secret(keys[reference.slice(4).replace(/_/g, '-')]?.secretAccessKey ?? ''),
      deniedSessions,
      clock,
      timeoutMs: 10_000,
    })
  }

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

    deniedSessions.ids.push('lea_moto1')
    await provider.revoke(handle, soon())
    const sentAt = clock.now()
    expect(
      await provider.verifyDead(handle, { leaseId: 'lea_moto1', sentAt, now: sentAt }, soon()),
    ).toEqual({
      dead: false,
      reason: 'the Deny is in place and IAM may still be propagating it',
      retryAt: new Date(sentAt.getTime() + 1000),
    })
    const now = new Date(sentAt.getTime() + 1000)
    expect(
      await provider.verifyDead(handle, { leaseId: 'lea_moto1', sentAt, now }, soon()),
    ).toEqual({
      dead: true,
      proof: `Deny for session lea_moto1 in MayflyRevokedSessions read back from ${ROLE_ARN} 1 s after it was written`,
    })
    expect(await callS3(moto.url, credential, { method: 'PUT', arn: ALLOWED })).toBe(403)

    const iam = new IAMClient({
      region: 'eu-west-1',
      endpoint: moto.url.href,
      credentials: keys['mayfly-revoker'] ?? { accessKeyId: '', secretAccessKey: '' },
    })
    const { PolicyDocument } = await iam.send(
      new GetRolePolicyCommand({ RoleName: 'artifacts', PolicyName: 'MayflyRevokedSessions' }),
    )
    expect(JSON.parse(decodeURIComponent(PolicyDocument ?? ''))).toMatchObject({
      Statement: [{ Effect: 'Deny', Condition: { StringLike: { 'aws:userid': ['*:lea_moto1'] } } }],
    })
  })

  test('R76 when nothing is left to deny the policy is deleted, also twice', async () => {
    const provider = providerAs('mayfly-minter', 'mayfly-revoker')
    const handle = provider.prepare(SCOPE).handleBeforeMint('lea_moto2')
    if (!handle) throw new Error('AWS always has a handle before the mint')
    deniedSessions.ids.splice(0, Infinity, 'lea_moto2')
    await provider.revoke(handle, soon())
    deniedSessions.ids.splice(0)
    await provider.revoke(handle, soon())
    await provider.revoke(handle, soon())
    const now = clock.now()
    expect(
      await provider.verifyDead(handle, { leaseId: 'lea_moto2', sentAt: now, now }, soon()),
    ).toMatchObject({
      dead: false,
      reason: 'no Deny for this session is in place',
    })
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
    deniedSessions.ids.splice(0, Infinity, 'lea_moto4')
    await expect(provider.revoke(handle, soon())).rejects.toMatchObject({
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
      deniedSessions,
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
