import { createHash } from 'node:crypto'

import {
  GetRoleCommand,
  GetRolePolicyCommand,
  IAMClient,
  PutRolePolicyCommand,
} from '@aws-sdk/client-iam'
import {
  AssumeRoleCommand,
  GetCallerIdentityCommand,
  STSClient,
  type AssumeRoleCommandInput,
} from '@aws-sdk/client-sts'
import {
  signS3Request,
  startAwsStandin,
  type AwsKeys,
  type AwsStandin,
  type S3Call,
} from '@mayfly/standins'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'

const ROLE = 'arn:aws:iam::123456789012:role/deploy'
const MINTER = { accessKeyId: 'AKIAMINTER', secretAccessKey: 'minter-secret' }
const REVOKER = { accessKeyId: 'AKIAREVOKER', secretAccessKey: 'revoker-secret' }
const OBJECT = 'arn:aws:s3:::acme/builds/1'

let now: number
let aws: AwsStandin

const policy = (...Statement: unknown[]) => ({ Version: '2012-10-17', Statement })
const allow = (Action: unknown, Resource: unknown, Condition?: unknown) => ({
  Effect: 'Allow',
  Action,
  Resource,
  ...(Condition ? { Condition } : {}),
})
const deny = (Condition: unknown) => ({ Effect: 'Deny', Action: '*', Resource: '*', Condition })

beforeEach(async () => {
  now = Date.now()
  aws = await startAwsStandin({
    account: '123456789012',
    clock: { now: () => new Date(now) },
    roles: [
      {
        name: 'deploy',
        maxSessionDurationSeconds: 7200,
        trustedPrincipals: ['arn:aws:iam::123456789012:user/minter', ROLE],
        policies: { Base: policy(allow(['s3:*', 'sts:*', 'logs:*'], '*')) },
      },
      { name: 'closed', policies: {} },
    ],
    accessKeys: [
      { ...MINTER, principal: 'arn:aws:iam::123456789012:user/minter', policies: [] },
      {
        ...REVOKER,
        principal: 'arn:aws:iam::123456789012:user/revoker',
        policies: [policy(allow('iam:*', ROLE))],
      },
    ],
    managedPolicies: { 'arn:aws:iam::aws:policy/ReadOnly': policy(allow('s3:Get*', '*')) },
  })
})
afterEach(() => aws.stop())

const sts = (credentials: AwsKeys = MINTER) =>
  new STSClient({ region: 'eu-west-1', endpoint: aws.url.href, credentials, maxAttempts: 1 })
const iam = (credentials: AwsKeys = REVOKER) =>
  new IAMClient({ region: 'eu-west-1', endpoint: aws.url.href, credentials, maxAttempts: 1 })

async function assume(
  more: Partial<AssumeRoleCommandInput> = {},
  as: AwsKeys = MINTER,
): Promise<AwsKeys> {
  const { Credentials } = await sts(as).send(
    new AssumeRoleCommand({ RoleArn: ROLE, RoleSessionName: 'lea_1', ...more }),
  )
  return {
    accessKeyId: Credentials?.AccessKeyId ?? '',
    secretAccessKey: Credentials?.SecretAccessKey ?? '',
    sessionToken: Credentials?.SessionToken ?? '',
  }
}

/** `[status, code]` of a signed S3 call, which `change` may tamper with after it was signed. */
async function s3(
  keys: AwsKeys,
  call: Partial<S3Call> = {},
  change: (request: Request) => Request = (same) => same,
) {
  const response = await fetch(
    change(await signS3Request(aws.url, keys, { method: 'PUT', arn: OBJECT, body: 'x', ...call })),
  )
  return [response.status, /<Code>(\w+)<\/Code>/.exec(await response.text())?.[1]]
}

const putPolicy = (PolicyName: string, document: unknown) =>
  iam().send(
    new PutRolePolicyCommand({
      RoleName: 'deploy',
      PolicyName,
      PolicyDocument: typeof document === 'string' ? document : JSON.stringify(document),
    }),
  )

/** Resources of 56 characters that no compression shortens much. */
const incompressible = (length: number) =>
  Array.from(
    { length },
    (_, i) => `arn:aws:s3:::${createHash('sha256').update(String(i)).digest('base64url')}`,
  )

describe('signatures', () => {
  test('a session works, an unsigned request does not', async () => {
    expect(await s3(await assume())).toEqual([200, undefined])
    expect((await fetch(new URL('/acme/builds/1', aws.url))).status).toBe(403)
  })

  test.each<[string, (keys: AwsKeys) => ReturnType<typeof s3>, unknown]>([
    [
      'another secret',
      (keys) => s3({ ...keys, secretAccessKey: 'other' }),
      [403, 'SignatureDoesNotMatch'],
    ],
    [
      'an unknown key',
      (keys) => s3({ ...keys, accessKeyId: 'ASIAUNKNOWN' }),
      [403, 'InvalidClientTokenId'],
    ],
    [
      'another token',
      (keys) => s3({ ...keys, sessionToken: 'other' }),
      [403, 'InvalidClientTokenId'],
    ],
    [
      'no token',
      ({ accessKeyId, secretAccessKey }) => s3({ accessKeyId, secretAccessKey }),
      [403, 'InvalidClientTokenId'],
    ],
    [
      'a date ten minutes ago',
      (keys) => s3(keys, { signedAt: new Date(Date.now() - 600_000) }),
      [403, 'RequestTimeTooSkewed'],
    ],
    [
      'a body that was changed',
      (keys) =>
        s3(
          keys,
          {},
          (request) =>
            new Request(request.url, { method: 'PUT', headers: request.headers, body: 'y' }),
        ),
      [400, 'XAmzContentSHA256Mismatch'],
    ],
    [
      'a path that was changed',
      (keys) =>
        s3(
          keys,
          {},
          (request) =>
            new Request(new URL('/acme/builds/2', aws.url), {
              method: 'PUT',
              headers: request.headers,
              body: 'x',
            }),
        ),
      [403, 'SignatureDoesNotMatch'],
    ],
    [
      'a header that was added',
      (keys) =>
        s3(keys, {}, (request) => {
          request.headers.set('x-amz-acl', 'public-read')
          return request
        }),
      [403, 'SignatureDoesNotMatch'],
    ],
    [
      'half an Authorization header',
      (keys) =>
        s3(keys, {}, (request) => {
          request.headers.set('authorization', 'AWS4-HMAC-SHA256 Credential=x')
          return request
        }),
      [400, 'IncompleteSignature'],
    ],
  ])('%s is refused', async (_what, call, answer) => {
    expect(await call(await assume())).toEqual(answer)
  })

  test('a key with characters that need encoding can be written, read, listed and deleted', async () => {
    const keys = await assume()
    const arn = 'arn:aws:s3:::acme/a b/ü+(1).txt'
    expect(await s3(keys, { arn, body: 'hello' })).toEqual([200, undefined])
    expect(
      await (await fetch(await signS3Request(aws.url, keys, { method: 'GET', arn }))).text(),
    ).toBe('hello')
    const list = await fetch(
      await signS3Request(aws.url, keys, { method: 'GET', arn: 'arn:aws:s3:::acme' }),
    )
    expect(await list.text()).toContain('<Key>a b/ü+(1).txt</Key>')
    expect(await s3(keys, { method: 'DELETE', arn })).toEqual([204, undefined])
    expect(await s3(keys, { method: 'GET', arn })).toEqual([404, 'NoSuchKey'])
  })
})

describe('sessions', () => {
  test('end when their time is over', async () => {
    const keys = await assume({ DurationSeconds: 900 })
    expect(aws.live()).toHaveLength(1)
    now += 901_000
    expect(await s3(keys)).toEqual([403, 'ExpiredToken'])
    expect(aws.live()).toEqual([])
    expect(aws.issued()).toHaveLength(1)
  })

  test.each<[string, Partial<AssumeRoleCommandInput>, string]>([
    ['under 900 seconds', { DurationSeconds: 899 }, 'ValidationError'],
    ['over the role’s maximum', { DurationSeconds: 7201 }, 'ValidationError'],
    ['a bad session name', { RoleSessionName: 'a/b' }, 'ValidationError'],
    ['a bad source identity', { SourceIdentity: 'Ada Lovelace' }, 'ValidationError'],
    ['a policy over 2,048 characters', { Policy: ' '.repeat(2049) }, 'ValidationError'],
    ['a policy that is not JSON', { Policy: '{' }, 'MalformedPolicyDocumentException'],
    [
      'a policy without an effect',
      { Policy: '{"Version":"2012-10-17","Statement":[{"Action":"*","Resource":"*"}]}' },
      'MalformedPolicyDocumentException',
    ],
    [
      'a policy that packs badly',
      {
        Policy: JSON.stringify(policy(allow('s3:GetObject', incompressible(31)))),
      },
      'PackedPolicyTooLargeException',
    ],
    [
      'eleven policy ARNs',
      {
        PolicyArns: Array.from({ length: 11 }, () => ({ arn: 'arn:aws:iam::aws:policy/ReadOnly' })),
      },
      'ValidationError',
    ],
    [
      'an unknown policy ARN',
      { PolicyArns: [{ arn: 'arn:aws:iam::aws:policy/None' }] },
      'ValidationError',
    ],
    [
      '51 tags',
      { Tags: Array.from({ length: 51 }, (_, i) => ({ Key: `k${String(i)}`, Value: 'v' })) },
      'ValidationError',
    ],
    [
      'the same tag twice',
      {
        Tags: [
          { Key: 'a', Value: '1' },
          { Key: 'A', Value: '2' },
        ],
      },
      'ValidationError',
    ],
    [
      'a role that trusts nobody',
      { RoleArn: 'arn:aws:iam::123456789012:role/closed' },
      'AccessDenied',
    ],
    [
      'a role that is not there',
      { RoleArn: 'arn:aws:iam::123456789012:role/none' },
      'AccessDenied',
    ],
  ])('are not minted for %s', async (_what, input, name) => {
    await expect(assume(input)).rejects.toMatchObject({ name })
    expect(aws.issued()).toEqual([])
  })

  test('minted by a session last an hour at most and keep its source identity', async () => {
    const first = await assume({ SourceIdentity: 'ada@acme.example' })
    await expect(
      assume({ DurationSeconds: 3601, SourceIdentity: 'ada@acme.example' }, first),
    ).rejects.toMatchObject({ name: 'ValidationError' })
    await expect(assume({ SourceIdentity: 'mallory' }, first)).rejects.toMatchObject({
      name: 'AccessDenied',
    })
    await expect(assume({ SourceIdentity: 'ada@acme.example' }, first)).resolves.toMatchObject({})
  })

  test('may do what both role and session policy allow', async () => {
    const keys = await assume({
      Policy: JSON.stringify(policy(allow('s3:PutObject', 'arn:aws:s3:::acme/builds/*'))),
      PolicyArns: [{ arn: 'arn:aws:iam::aws:policy/ReadOnly' }],
    })
    expect(await s3(keys)).toEqual([200, undefined])
    expect(await s3(keys, { method: 'GET' })).toEqual([200, undefined])
    expect(await s3(keys, { method: 'DELETE' })).toEqual([403, 'AccessDenied'])
    expect(await s3(keys, { arn: 'arn:aws:s3:::acme/other' })).toEqual([403, 'AccessDenied'])
  })

  test('R75 end for everything that an aws:CurrentTime condition binds', async () => {
    const until = new Date(now + 60_000).toISOString()
    const keys = await assume({
      Policy: JSON.stringify(
        policy(allow('s3:*', '*', { DateLessThan: { 'aws:CurrentTime': until } })),
      ),
    })
    expect(await s3(keys)).toEqual([200, undefined])
    now += 60_000
    expect(await s3(keys)).toEqual([403, 'AccessDenied'])
    expect(aws.live()).toEqual([])
  })

  test.each<[string, unknown, number]>([
    [
      'an operator that nobody knows never allows',
      allow('s3:*', '*', { StringIsh: { 'aws:userid': '*' } }),
      403,
    ],
    [
      'a key that nobody knows never allows',
      allow('s3:*', '*', { StringLike: { 'aws:Mood': '*' } }),
      403,
    ],
    [
      'IfExists does not rescue an unknown key',
      allow('s3:*', '*', { StringLikeIfExists: { 'aws:Mood': 'good' } }),
      403,
    ],
    [
      'a missing key does not match',
      allow('s3:*', '*', { StringLike: { 'aws:PrincipalTag/team': '*' } }),
      403,
    ],
    [
      'a date that does not parse does not match',
      allow('s3:*', '*', { DateLessThan: { 'aws:CurrentTime': 'soon' } }),
      403,
    ],
    [
      'a tag matches',
      allow('s3:*', '*', { StringEquals: { 'aws:PrincipalTag/mayfly:task': 'tsk_1' } }),
      200,
    ],
    [
      'IfExists allows without the key',
      allow('s3:*', '*', { StringLikeIfExists: { 'aws:PrincipalTag/team': 'a' } }),
      200,
    ],
  ])('condition: %s', async (_what, statement, status) => {
    const keys = await assume({
      Policy: JSON.stringify(policy(statement)),
      Tags: [{ Key: 'mayfly:task', Value: 'tsk_1' }],
    })
    expect((await s3(keys))[0]).toBe(status)
  })

  test('GetCallerIdentity cannot be denied', async () => {
    const keys = await assume({
      Policy: JSON.stringify(policy({ Effect: 'Deny', Action: '*', Resource: '*' })),
    })
    expect(await sts(keys).send(new GetCallerIdentityCommand({}))).toMatchObject({
      Arn: 'arn:aws:sts::123456789012:assumed-role/deploy/lea_1',
    })
    expect(aws.live()).toEqual([])
  })
})

describe('denying sessions', () => {
  test.each<[string, unknown, unknown]>([
    ['its name', { StringLike: { 'aws:userid': ['*:lea_0', '*:lea_1'] } }, [403, 'AccessDenied']],
    ['another name', { StringLike: { 'aws:userid': ['*:lea_2'] } }, [200, undefined]],
    [
      'its owner',
      { StringEquals: { 'aws:SourceIdentity': 'ada@acme.example' } },
      [403, 'AccessDenied'],
    ],
    [
      'older sessions',
      { DateLessThan: { 'aws:TokenIssueTime': new Date(Date.now() + 60_000).toISOString() } },
      [403, 'AccessDenied'],
    ],
    [
      'a condition that cannot be evaluated',
      { StringIsh: { 'aws:userid': 'x' } },
      [403, 'AccessDenied'],
    ],
  ])('R76 by %s takes effect once it has propagated', async (_what, condition, answer) => {
    const keys = await assume({ SourceIdentity: 'ada@acme.example' })
    await putPolicy('MayflyRevokedSessions', policy(deny(condition)))
    expect(await s3(keys)).toEqual([200, undefined])
    now += 200
    expect(await s3(keys)).toEqual(answer)
  })

  test('a policy reads back at once, and quotas count all inline policies together', async () => {
    const document = policy(deny({ StringLike: { 'aws:userid': ['*:lea_1'] } }))
    await putPolicy('MayflyRevokedSessions', document)
    const read = await iam().send(
      new GetRolePolicyCommand({ RoleName: 'deploy', PolicyName: 'MayflyRevokedSessions' }),
    )
    expect(decodeURIComponent(read.PolicyDocument ?? '')).toBe(JSON.stringify(document))

    const big = (size: number) => policy(deny({ StringLike: { 'aws:userid': ['x'.repeat(size)] } }))
    await putPolicy('Big', big(9000))
    await expect(putPolicy('Bigger', big(1100))).rejects.toMatchObject({
      name: 'LimitExceededException',
    })
    await expect(putPolicy('Bad', '{')).rejects.toMatchObject({
      name: 'MalformedPolicyDocumentException',
    })
    await putPolicy('Big', `${JSON.stringify(big(9000))}${' '.repeat(2000)}`)
  })

  test('R77 IAM is only for those who were given it', async () => {
    await expect(
      iam(MINTER).send(new GetRolePolicyCommand({ RoleName: 'deploy', PolicyName: 'Base' })),
    ).rejects.toMatchObject({ name: 'AccessDenied' })
    await expect(
      iam().send(new GetRolePolicyCommand({ RoleName: 'closed', PolicyName: 'Base' })),
    ).rejects.toMatchObject({ name: 'AccessDenied' })
    expect(await iam().send(new GetRoleCommand({ RoleName: 'deploy' }))).toMatchObject({
      Role: { MaxSessionDuration: 7200 },
    })
  })
})

describe('for tests and other processes', () => {
  test('what was issued is told without secrets', async () => {
    const keys = await assume({ Tags: [{ Key: 'mayfly:task', Value: 'tsk_1' }] })
    const text = await (await fetch(new URL('/_standin/issued', aws.url))).text()
    expect(JSON.parse(text)).toEqual({
      sessions: [
        expect.objectContaining({
          accessKeyId: keys.accessKeyId,
          sessionName: 'lea_1',
          roleArn: ROLE,
          tags: { 'mayfly:task': 'tsk_1' },
          live: true,
        }),
      ],
    })
    expect(
      [keys.secretAccessKey, keys.sessionToken ?? ''].filter((secret) => text.includes(secret)),
    ).toEqual([])
  })

  test('faults can be set from outside, and hit the operation they name', async () => {
    const post = (body: unknown, type = 'application/json') =>
      fetch(new URL('/_standin/faults', aws.url), {
        method: 'POST',
        headers: { 'content-type': type },
        body: JSON.stringify(body),
      })
    expect(
      (await post({ kind: 'error', status: 400, code: 'Throttling', operation: 'AssumeRole' }))
        .status,
    ).toBe(204)
    expect((await post({ kind: 'explode' })).status).toBe(400)
    expect((await post({ kind: 'empty' }, 'text/plain')).status).toBe(415)
    await expect(sts().send(new GetCallerIdentityCommand({}))).resolves.toMatchObject({
      Account: '123456789012',
    })
    await expect(assume()).rejects.toMatchObject({ name: 'Throttling' })
    await expect(assume()).resolves.toMatchObject({})
  })

  test('a lost answer leaves a session that nobody holds', async () => {
    aws.faults.next({ kind: 'lost' })
    await expect(assume()).rejects.toThrow()
    expect(aws.live().map(({ sessionName }) => sessionName)).toEqual(['lea_1'])
  })
})
