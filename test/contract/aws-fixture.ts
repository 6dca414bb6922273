import { Secret, type Credential, type Json } from '@mayfly/core'
import { makeAwsProvider, parseAwsSettings } from '@mayfly/providers'
import {
  signS3Request,
  startAwsStandin,
  type AwsStandin,
  type AwsStandinOptions,
  type S3Call,
} from '@mayfly/standins'

import { makeMemoryDenials, type MemoryDenials } from '../support/memory-denials.ts'
import type { ProviderFixture } from './provider-contract.ts'

export const ACCOUNT = '123456789012'
export const ROLE_ARN = `arn:aws:iam::${ACCOUNT}:role/artifacts`
export const MINTER_ARN = `arn:aws:iam::${ACCOUNT}:user/mayfly-minter`
export const REVOKER_ARN = `arn:aws:iam::${ACCOUNT}:user/mayfly-revoker`
export const ALLOWED = 'arn:aws:s3:::acme-artifacts/builds/42/app.tgz'

export const SCOPE: Json = {
  roleArn: ROLE_ARN,
  statements: [
    { actions: ['s3:PutObject'], resources: ['arn:aws:s3:::acme-artifacts/builds/42/*'] },
  ],
}

export const MALFORMED_SCOPES: readonly Json[] = [
  { roleArn: ROLE_ARN, statements: [] },
  { roleArn: ROLE_ARN, statements: [{ actions: [], resources: [ALLOWED] }] },
  { roleArn: ROLE_ARN, statements: [{ actions: ['*'], resources: [ALLOWED] }] },
  { roleArn: ROLE_ARN, statements: [{ actions: ['s3:GetObject'], resources: ['*'] }] },
  {
    roleArn: ROLE_ARN.replace('artifacts', 'admin'),
    statements: [{ actions: ['s3:GetObject'], resources: [ALLOWED] }],
  },
]

/** Time that stands still until it is told to go on. */
export function makeTestClock(): ProviderFixture['clock'] {
  let now = Date.now()
  return {
    now: () => new Date(now),
    advance: (seconds) => {
      now += seconds * 1000
    },
  }
}

const SECRETS: Readonly<Record<string, string>> = {
  'env:MINTER': 'minter/SecretAccessKey+of+the+contract+suite',
  'env:REVOKER': 'revoker/SecretAccessKey+of+the+contract+suite',
}

export const REVOKER_KEYS = {
  accessKeyId: 'AKIAREVOKER',
  secretAccessKey: SECRETS['env:REVOKER'] ?? '',
}

export function standinOptions(clock?: { now(): Date }): AwsStandinOptions {
  const allow = (Action: string[], Resource: string) => ({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action, Resource }],
  })
  return {
    account: ACCOUNT,
    ...(clock ? { clock } : {}),
    roles: [
      {
        name: 'artifacts',
        trustedPrincipals: [MINTER_ARN],
        policies: { Artifacts: allow(['s3:*'], 'arn:aws:s3:::acme-artifacts*') },
      },
    ],
    accessKeys: [
      {
        accessKeyId: 'AKIAMINTER',
        secretAccessKey: SECRETS['env:MINTER'] ?? '',
        principal: MINTER_ARN,
        policies: [],
      },
      {
        ...REVOKER_KEYS,
        principal: REVOKER_ARN,
        policies: [
          allow(
            [
              'iam:GetRolePolicy',
              'iam:PutRolePolicy',
              'iam:DeleteRolePolicy',
              'iam:ListAttachedRolePolicies',
              'iam:AttachRolePolicy',
              'iam:DetachRolePolicy',
            ],
            ROLE_ARN,
          ),
          allow(
            [
              'iam:CreatePolicy',
              'iam:CreatePolicyVersion',
              'iam:DeletePolicyVersion',
              'iam:GetPolicyVersion',
              'iam:ListPolicyVersions',
            ],
            `arn:aws:iam::${ACCOUNT}:policy/MayflyRevokedSessions-artifacts-*`,
          ),
        ],
      },
    ],
  }
}

export function settingsFor(endpoint: URL, more: Record<string, Json> = {}): Record<string, Json> {
  return {
    region: 'eu-west-1',
    stsEndpoint: endpoint.href,
    iamEndpoint: endpoint.href,
    allowedRoles: [ROLE_ARN],
    minter: { accessKeyId: 'AKIAMINTER', secretAccessKey: 'env:MINTER' },
    revoker: { accessKeyId: 'AKIAREVOKER', secretAccessKey: 'env:REVOKER' },
    propagationSeconds: 5,
    ...more,
  }
}

export function resolveSecret(reference: string): Secret {
  const found = SECRETS[reference]
  if (found === undefined) throw new Error(`no secret ${reference}`)
  return new Secret(found)
}

export interface AwsFixture extends ProviderFixture {
  readonly aws: AwsStandin
  readonly denials: MemoryDenials
}

/** The provider in front of a stand-in that runs on the same, standing, clock. */
export async function openAwsStandin(
  more: {
    settings?: Record<string, Json>
    standin?: Partial<AwsStandinOptions>
    timeoutMs?: number
  } = {},
): Promise<AwsFixture> {
  const clock = makeTestClock()
  const aws = await startAwsStandin({ ...standinOptions(clock), ...more.standin })
  const denials = makeMemoryDenials(clock)
  const provider = makeAwsProvider({
    settings: parseAwsSettings(settingsFor(aws.url, more.settings)),
    resolveSecret,
    deniedSessions: denials,
    clock,
    timeoutMs: more.timeoutMs ?? 5000,
  })
  const put = (credential: Credential, arn: string) =>
    callS3(aws.url, credential, { method: 'PUT', arn })
  return {
    aws,
    denials,
    provider,
    scope: SCOPE,
    malformedScopes: MALFORMED_SCOPES,
    secrets: Object.values(SECRETS),
    clock,
    works: async (credential) => (await put(credential, ALLOWED)) === 200,
    forbidden: async (credential) =>
      (await put(credential, 'arn:aws:s3:::acme-artifacts/builds/43/app.tgz')) === 403 &&
      (await callS3(aws.url, credential, { method: 'DELETE', arn: ALLOWED })) === 403,
    ending: (leaseId) => {
      denials.end(leaseId)
    },
    requests: () => aws.requests().length,
    live: () => aws.live().length,
    loseNextAnswer: () => {
      aws.faults.next({ kind: 'lost' })
    },
    stop: () => aws.stop(),
  }
}

/** The status of one signed request to path-style S3. */
export async function callS3(
  endpoint: URL,
  credential: Credential,
  call: Pick<S3Call, 'method' | 'arn'>,
): Promise<number> {
  const keys = {
    accessKeyId: plain(credential['accessKeyId']),
    secretAccessKey: plain(credential['secretAccessKey']),
    sessionToken: plain(credential['sessionToken']),
  }
  const response = await fetch(await signS3Request(endpoint, keys, { body: 'x', ...call }))
  await response.arrayBuffer()
  return response.status
}

function plain(value: Secret | string | undefined): string {
  return value instanceof Secret ? value.reveal() : (value ?? '')
}
