import { readFileSync } from 'node:fs'

import {
  AttachRolePolicyCommand,
  CreatePolicyVersionCommand,
  DeleteRolePolicyCommand,
  IAMClient,
  PutRolePolicyCommand,
} from '@aws-sdk/client-iam'
import { AssumeRoleCommand, STSClient, type AssumeRoleCommandInput } from '@aws-sdk/client-sts'
import { Secret, type MintRequest } from '@mayfly/core'
import { makeAwsProvider, parseAwsSettings } from '@mayfly/providers'
import { startAwsStandin, type AwsKeys, type AwsStandin } from '@mayfly/standins'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { parse } from 'yaml'

import { makeMemoryDenials, type MemoryDenials } from '../support/memory-denials.ts'

/** What CloudFormation would put in place of references. */
const VALUES: Readonly<Record<string, string>> = {
  'AWS::Partition': 'aws',
  'AWS::AccountId': '123456789012',
  ExternalId: 'external-id-of-the-test',
  TargetRoleName: 'mayfly-deploy',
  ProvisionerArnPattern: 'arn:aws:iam::*:role/provisioner',
  // The stand-in has keys of users only, so users stand where the roles of the broker would be.
  Minter: 'arn:aws:iam::123456789012:role/mayfly-broker-minter',
}

function filled(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(filled)
  if (typeof node !== 'object' || node === null) return node
  const { Ref, 'Fn::Sub': sub, 'Fn::GetAtt': attribute } = node as Record<string, unknown> // parsed YAML
  if (typeof Ref === 'string') return VALUES[Ref] ?? Ref
  if (typeof sub === 'string')
    return sub.replace(/\$\{([\w:]+)\}/g, (_, name: string) => VALUES[name] ?? name)
  if (Array.isArray(attribute)) return VALUES[String(attribute[0])] ?? String(attribute[0])
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, filled(value)]))
}

interface Template {
  readonly Resources: Readonly<
    Record<
      string,
      {
        readonly Properties: {
          readonly AssumeRolePolicyDocument?: unknown
          readonly Policies?: readonly { readonly PolicyDocument: unknown }[]
          readonly Content?: unknown
        }
      }
    >
  >
}

const propertiesOf = (
  file: string,
  resource: string,
): Template['Resources'][string]['Properties'] => {
  const url = new URL(`../../deploy/aws/cloudformation/${file}`, import.meta.url)
  const template = filled(parse(readFileSync(url, 'utf8'))) as Template // checked by cfn-lint
  return template.Resources[resource]?.Properties ?? {}
}
const policiesOf = (resource: string) =>
  (propertiesOf('mayfly.yaml', resource).Policies ?? []).map(({ PolicyDocument }) => PolicyDocument)

const MINTER: AwsKeys = { accessKeyId: 'AKIAMINTER', secretAccessKey: 'minter' }
const REVOKER: AwsKeys = { accessKeyId: 'AKIAREVOKER', secretAccessKey: 'revoker' }
const ADMIN: AwsKeys = { accessKeyId: 'AKIAADMIN', secretAccessKey: 'admin' }
const ROLE = 'arn:aws:iam::123456789012:role/mayfly-deploy'
const everything = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }],
}
const clock = { now: () => new Date() }
const soon = () => AbortSignal.timeout(10_000)

let aws: AwsStandin
let denials: MemoryDenials
beforeEach(async () => {
  denials = makeMemoryDenials(clock)
  aws = await startAwsStandin({
    account: '123456789012',
    propagationMs: 0,
    roles: [
      {
        name: 'mayfly-deploy',
        trustPolicy: propertiesOf('mayfly.yaml', 'Target').AssumeRolePolicyDocument,
        policies: {
          Rights: { ...everything, Statement: [{ ...everything.Statement[0], Action: 's3:*' }] },
        },
      },
    ],
    accessKeys: [
      { ...MINTER, principal: VALUES['Minter'] ?? '', policies: policiesOf('Minter') },
      {
        ...REVOKER,
        principal: 'arn:aws:iam::123456789012:role/mayfly-broker-revoker',
        policies: policiesOf('Revoker'),
      },
      { ...ADMIN, principal: 'arn:aws:iam::123456789012:user/admin', policies: [everything] },
    ],
    managedPolicies: {
      'arn:aws:iam::aws:policy/AdministratorAccess': everything,
      'arn:aws:iam::123456789012:policy/MayflyRevokedSessions-mayfly-deploy-1': everything,
    },
    serviceControlPolicies: [propertiesOf('protect-denies.yaml', 'ProtectDenies').Content],
  })
})
afterEach(() => aws.stop())

const provider = () =>
  makeAwsProvider({
    settings: parseAwsSettings({
      region: 'eu-west-1',
      stsEndpoint: aws.url.href,
      iamEndpoint: aws.url.href,
      allowedRoles: [ROLE],
      externalId: VALUES['ExternalId'] ?? '',
      minter: { accessKeyId: MINTER.accessKeyId, secretAccessKey: 'env:minter' },
      revoker: { accessKeyId: REVOKER.accessKeyId, secretAccessKey: 'env:revoker' },
      extraDenyPolicies: 1,
    }),
    resolveSecret: (reference) => new Secret(reference.slice(4)),
    deniedSessions: denials,
    clock,
    timeoutMs: 5000,
  })

const request: MintRequest = {
  leaseId: 'lea_01K9ZZZZZZZZZZZZZZZZZZZZZZ',
  taskId: 'tsk_1',
  agent: 'codex',
  owner: 'ada@acme.example',
  template: 'deploy',
  ttlSeconds: 900,
  expiresAt: new Date(Date.now() + 900_000),
}
const scope = {
  roleArn: ROLE,
  statements: [{ actions: ['s3:PutObject'], resources: ['arn:aws:s3:::acme/*'] }],
}

describe('R77 the roles and the service control policy that deploy/aws sets up', () => {
  test('are enough to mint, and to deny inline and in managed policies', async () => {
    const { handle } = await provider().prepare(scope).mint(request, soon())
    for (let index = 0; index < 252; index += 1)
      denials.end(`lea_01K9${String(index).padStart(22, '0')}`)
    denials.end(request.leaseId)
    await provider().revoke(handle, soon(), new Date())
    expect(denials.denialOf(request.leaseId)?.policy).toBe('MayflyRevokedSessions-mayfly-deploy-1')
    expect(aws.live()).toEqual([])
  })

  const tags = [{ Key: 'mayfly:task', Value: 'tsk_1' }]
  const good = {
    RoleSessionName: 'lea_1',
    ExternalId: VALUES['ExternalId'],
    SourceIdentity: 'ada',
    Tags: tags,
  }
  const assume = (keys: AwsKeys, more: Partial<AssumeRoleCommandInput>) =>
    new STSClient({ region: 'eu-west-1', endpoint: aws.url.href, credentials: keys }).send(
      new AssumeRoleCommand({ RoleArn: ROLE, ...good, ...more }), // some are taken out
    )

  test.each<[string, AwsKeys, Partial<Record<keyof AssumeRoleCommandInput, unknown>>]>([
    ['anybody but the minter', REVOKER, {}],
    ['a session of another name', MINTER, { RoleSessionName: 'mallory' }],
    ['a session without a task', MINTER, { Tags: [] }],
    ['a session with tags of its own', MINTER, { Tags: [...tags, { Key: 'admin', Value: 'yes' }] }],
    ['a session without an owner', MINTER, { SourceIdentity: undefined }],
    ['another external id', MINTER, { ExternalId: 'a-guess' }],
    ['no external id', MINTER, { ExternalId: undefined }],
  ])('refuse %s', async (_what, keys, more) => {
    await expect(assume(keys, more as Partial<AssumeRoleCommandInput>)).rejects.toMatchObject({
      name: 'AccessDenied',
    })
  })

  test('give the minter nothing else, and nobody but the revoker a way to lift a Deny', async () => {
    expect((await assume(MINTER, {})).AssumedRoleUser?.Arn).toContain(
      'assumed-role/mayfly-deploy/lea_1',
    )
    const name = { RoleName: 'mayfly-deploy', PolicyName: 'MayflyRevokedSessions' }
    const document = JSON.stringify(everything)
    const PolicyArn = 'arn:aws:iam::123456789012:policy/MayflyRevokedSessions-mayfly-deploy-1'
    for (const credentials of [ADMIN, MINTER]) {
      const iam = new IAMClient({ region: 'eu-west-1', endpoint: aws.url.href, credentials })
      const attempts = [
        () => iam.send(new DeleteRolePolicyCommand(name)),
        () => iam.send(new PutRolePolicyCommand({ ...name, PolicyDocument: document })),
        () => iam.send(new CreatePolicyVersionCommand({ PolicyArn, PolicyDocument: document })),
      ]
      for (const attempt of attempts)
        await expect(attempt()).rejects.toMatchObject({ name: 'AccessDenied' })
    }
  })

  test('let the revoker attach nothing but deny policies', async () => {
    const iam = new IAMClient({ region: 'eu-west-1', endpoint: aws.url.href, credentials: REVOKER })
    const PolicyArn = 'arn:aws:iam::aws:policy/AdministratorAccess'
    await expect(
      iam.send(new AttachRolePolicyCommand({ RoleName: 'mayfly-deploy', PolicyArn })),
    ).rejects.toMatchObject({ name: 'AccessDenied' })
  })
})
