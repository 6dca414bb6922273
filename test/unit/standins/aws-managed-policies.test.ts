import {
  AttachRolePolicyCommand,
  CreatePolicyCommand,
  CreatePolicyVersionCommand,
  DeletePolicyVersionCommand,
  DetachRolePolicyCommand,
  GetPolicyVersionCommand,
  IAMClient,
  ListAttachedRolePoliciesCommand,
  ListPolicyVersionsCommand,
} from '@aws-sdk/client-iam'
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts'
import { startAwsStandin, type AwsStandin } from '@mayfly/standins'
import { afterEach, beforeEach, expect, test } from '@jest/globals'

const ADMIN = { accessKeyId: 'AKIAADMIN', secretAccessKey: 'admin' }
const ACCOUNT = 'arn:aws:iam::123456789012'
const RoleName = 'deploy'
const policy = (Effect: string, Resource: string) => ({
  Version: '2012-10-17',
  Statement: [{ Effect, Action: '*', Resource }],
})
const DENY = JSON.stringify(policy('Deny', '*'))

let now: number
let aws: AwsStandin
let iam: IAMClient

beforeEach(async () => {
  now = Date.now()
  const principal = `${ACCOUNT}:user/admin`
  aws = await startAwsStandin({
    account: '123456789012',
    clock: { now: () => new Date(now) },
    propagationMs: 1000,
    attachedPolicyQuota: 2,
    roles: [
      { name: RoleName, trustedPrincipals: [principal], policies: { Base: policy('Allow', '*') } },
    ],
    accessKeys: [{ ...ADMIN, principal, policies: [policy('Allow', '*')] }],
  })
  const options = { region: 'eu-west-1', endpoint: aws.url.href, credentials: ADMIN }
  iam = new IAMClient({ ...options, maxAttempts: 1 })
  await new STSClient(options).send(
    new AssumeRoleCommand({ RoleArn: `${ACCOUNT}:role/deploy`, RoleSessionName: 'lea_1' }),
  )
})
afterEach(() => aws.stop())

const arnOf = (name: string) => `${ACCOUNT}:policy/${name}`
const create = (PolicyName: string, PolicyDocument = DENY) =>
  iam.send(new CreatePolicyCommand({ PolicyName, PolicyDocument }))
const attach = (name: string) =>
  iam.send(new AttachRolePolicyCommand({ RoleName, PolicyArn: arnOf(name) }))
const addVersion = (name: string, PolicyDocument = DENY, SetAsDefault = true) =>
  iam.send(new CreatePolicyVersionCommand({ PolicyArn: arnOf(name), PolicyDocument, SetAsDefault }))
const versions = async (name: string) => {
  const { Versions = [] } = await iam.send(
    new ListPolicyVersionsCommand({ PolicyArn: arnOf(name) }),
  )
  return Versions.map(({ VersionId, IsDefaultVersion }) => [VersionId, IsDefaultVersion])
}

test('a managed policy counts while it is attached, some time after it was', async () => {
  await create('Stop')
  expect(aws.live()).toHaveLength(1)
  await attach('Stop')
  await attach('Stop')
  expect(aws.live()).toHaveLength(1)
  now += 1000
  expect(aws.live()).toEqual([])
  const { AttachedPolicies } = await iam.send(new ListAttachedRolePoliciesCommand({ RoleName }))
  expect(AttachedPolicies).toEqual([{ PolicyName: 'Stop', PolicyArn: arnOf('Stop') }])
  await iam.send(new DetachRolePolicyCommand({ RoleName, PolicyArn: arnOf('Stop') }))
  now += 1000
  expect(aws.live()).toHaveLength(1)
})

test('its default version is what counts, and what is read is what was written', async () => {
  await create('Stop', JSON.stringify(policy('Deny', 'arn:aws:s3:::other')))
  await attach('Stop')
  await addVersion('Stop', DENY, false)
  now += 1000
  expect(aws.live()).toHaveLength(1)
  await addVersion('Stop')
  now += 1000
  expect(aws.live()).toEqual([])
  expect(await versions('Stop')).toEqual([
    ['v1', false],
    ['v2', false],
    ['v3', true],
  ])
  const { PolicyVersion } = await iam.send(
    new GetPolicyVersionCommand({ PolicyArn: arnOf('Stop'), VersionId: 'v3' }),
  )
  expect(decodeURIComponent(PolicyVersion?.Document ?? '')).toBe(DENY)
})

test('five versions are kept, the default one cannot go, and numbers are not used again', async () => {
  await create('Stop')
  for (let count = 0; count < 4; count += 1) await addVersion('Stop')
  await expect(addVersion('Stop')).rejects.toMatchObject({ name: 'LimitExceededException' })
  const remove = (VersionId: string) =>
    iam.send(new DeletePolicyVersionCommand({ PolicyArn: arnOf('Stop'), VersionId }))
  await expect(remove('v5')).rejects.toMatchObject({ name: 'DeleteConflictException' })
  await remove('v1')
  await addVersion('Stop')
  expect((await versions('Stop')).at(-1)).toEqual(['v6', true])
  await expect(remove('v1')).rejects.toMatchObject({ name: 'NoSuchEntityException' })
})

test('quotas and names are IAM’s', async () => {
  for (const name of ['One', 'Two', 'Three']) await create(name)
  await expect(create('ONE')).rejects.toMatchObject({ name: 'EntityAlreadyExistsException' })
  await attach('One')
  await attach('Two')
  await expect(attach('Three')).rejects.toMatchObject({ name: 'LimitExceededException' })
  await expect(attach('Nobody')).rejects.toMatchObject({ name: 'NoSuchEntityException' })
  const long = JSON.stringify(policy('Deny', `arn:aws:s3:::${'x'.repeat(6144)}`))
  await expect(create('Long', long)).rejects.toMatchObject({ name: 'LimitExceededException' })
  await expect(
    iam.send(new DetachRolePolicyCommand({ RoleName, PolicyArn: arnOf('Three') })),
  ).rejects.toMatchObject({ name: 'NoSuchEntityException' })
})
