import type { Json, MintRequest } from '@mayfly/core'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'

import {
  ALLOWED,
  openAwsStandin,
  ROLE_ARN,
  SCOPE,
  type AwsFixture,
} from '../../contract/aws-fixture.ts'

interface Compiled {
  readonly Version: string
  readonly Statement: readonly {
    readonly Effect: string
    readonly Action: string | readonly string[]
    readonly Resource: string | readonly string[]
    readonly Condition?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  }[]
}

let fixture: AwsFixture

beforeEach(async () => {
  fixture = await openAwsStandin({
    standin: { managedPolicies: { 'arn:aws:iam::aws:policy/Wide': everything() } },
  })
})
afterEach(() => fixture.stop())

function everything(): unknown {
  return { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] }
}

function request(more: Partial<MintRequest> = {}): MintRequest {
  return {
    leaseId: 'lea_1',
    taskId: 'tsk_1',
    agent: 'claude-payments',
    owner: 'ada@acme.example',
    template: 'artifact-upload',
    ttlSeconds: 300,
    expiresAt: new Date('2030-01-01T10:05:00.900Z'),
    ...more,
  }
}

async function compiled(scope: Json, more: Partial<MintRequest> = {}): Promise<Compiled> {
  await fixture.provider.prepare(scope).mint(request(more), AbortSignal.timeout(5000))
  const text = fixture.aws.issued().at(-1)?.policy ?? 'null'
  expect(text.length).toBeLessThanOrEqual(2048)
  return JSON.parse(text) as Compiled // what we sent ourselves
}

describe('the session policy', () => {
  test('R73 R75 allows exactly the scope, until the end of the lease and not a second longer', async () => {
    const instant = '2030-01-01T10:05:00Z'
    expect(await compiled(SCOPE)).toEqual({
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Action: ['s3:PutObject'],
          Resource: ['arn:aws:s3:::acme-artifacts/builds/42/*'],
          Condition: { DateLessThan: { 'aws:CurrentTime': instant } },
        },
        {
          Effect: 'Deny',
          Action: '*',
          Resource: '*',
          Condition: { DateGreaterThanEquals: { 'aws:CurrentTime': instant } },
        },
      ],
    })
  })

  test('R73 the session carries lease, owner, task, agent and template', async () => {
    await compiled(SCOPE)
    expect(fixture.aws.issued()).toEqual([
      expect.objectContaining({
        roleArn: ROLE_ARN,
        sessionName: 'lea_1',
        sourceIdentity: 'ada@acme.example',
        tags: {
          'mayfly:task': 'tsk_1',
          'mayfly:agent': 'claude-payments',
          'mayfly:template': 'artifact-upload',
        },
      }),
    ])
  })

  test('conditions of the template stand beside ours', async () => {
    const own = {
      DateLessThan: { 'aws:TokenIssueTime': '2031-01-01T00:00:00Z' },
      StringEquals: { 'aws:userid': ['a', 'b'] },
    }
    const scope = {
      roleArn: ROLE_ARN,
      statements: [{ actions: ['s3:GetObject'], resources: [ALLOWED], conditions: own }],
    }
    expect((await compiled(scope)).Statement[0]?.Condition).toEqual({
      DateLessThan: {
        'aws:TokenIssueTime': '2031-01-01T00:00:00Z',
        'aws:CurrentTime': '2030-01-01T10:05:00Z',
      },
      StringEquals: { 'aws:userid': ['a', 'b'] },
    })
  })

  test('R78 managed policies cannot add what outlives the lease', async () => {
    const wide = { ...(SCOPE as object), policyArns: ['arn:aws:iam::aws:policy/Wide'] }
    expect((await compiled(wide)).Statement[2]).toEqual({
      Effect: 'Deny',
      Action: [
        'iam:*',
        'sts:*',
        'signin:*',
        'ecr:GetAuthorizationToken',
        'ecr-public:GetAuthorizationToken',
        'codeartifact:GetAuthorizationToken',
        'rds-db:connect',
      ],
      Resource: '*',
    })
    expect((await compiled({ ...wide, allowNonRevocable: true })).Statement[2]?.Action).toEqual([
      'iam:PutRolePolicy',
      'iam:DeleteRolePolicy',
    ])
  })

  test('R78 a CodeArtifact token cannot be asked to outlive its session', async () => {
    const scope = {
      roleArn: ROLE_ARN,
      allowNonRevocable: true,
      statements: [
        {
          actions: ['codeartifact:GetAuthorizationToken'],
          resources: ['arn:aws:codeartifact:eu-west-1:123456789012:domain/acme'],
        },
        { actions: ['sts:GetServiceBearerToken'], resources: ['*'] },
      ],
    }
    expect((await compiled(scope)).Statement.slice(0, 2).map(({ Condition }) => Condition)).toEqual(
      [
        { DateLessThan: { 'aws:CurrentTime': '2030-01-01T10:05:00Z' } },
        {
          DateLessThan: { 'aws:CurrentTime': '2030-01-01T10:05:00Z' },
          NumericLessThanEqualsIfExists: { 'sts:DurationSeconds': '900' },
        },
      ],
    )
  })

  test('R75 a session of 900 seconds allows nothing after a lease of five minutes, on AWS’s own clock', async () => {
    const wide = { ...(SCOPE as object), policyArns: ['arn:aws:iam::aws:policy/Wide'] }
    const expiresAt = new Date(fixture.clock.now().getTime() + 300_000)
    const { credential, credentialExpiresAt } = await fixture.provider
      .prepare(wide)
      .mint(request({ expiresAt }), AbortSignal.timeout(5000))
    expect(await fixture.works(credential)).toBe(true)
    await fixture.clock.advance(300)
    expect(credentialExpiresAt > fixture.clock.now()).toBe(true)
    expect(await fixture.works(credential)).toBe(false)
    expect(fixture.aws.live()).toEqual([])
    expect(fixture.aws.requests().filter((name) => name !== 's3:PUT')).toEqual(['AssumeRole'])
  })
})

const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9]{0,11}$/)
const statement = fc.record({
  actions: fc.array(
    fc
      .tuple(fc.constantFrom('s3', 'logs', 'dynamodb', 'sqs'), name)
      .map(([service, action]) => `${service}:${action}`),
    { minLength: 1, maxLength: 4 },
  ),
  resources: fc.array(
    fc
      .tuple(name, fc.constantFrom('', '/*', '/x?'))
      .map(([bucket, rest]) => `arn:aws:s3:::${bucket}${rest}`),
    { minLength: 1, maxLength: 4 },
  ),
})

test('R73 no compiled policy allows an action or resource that is not in its scope', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(statement, { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 1, max: 3600 }),
      async (statements, ttlSeconds) => {
        const expiresAt = new Date(fixture.clock.now().getTime() + ttlSeconds * 1000)
        const { Statement } = await compiled(
          { roleArn: ROLE_ARN, statements },
          { ttlSeconds, expiresAt },
        )
        const allows = Statement.filter(({ Effect }) => Effect === 'Allow')
        expect(
          allows.map(({ Action, Resource }) => ({ actions: Action, resources: Resource })),
        ).toEqual(statements)
        for (const { Condition } of allows) {
          const end = String(Condition?.['DateLessThan']?.['aws:CurrentTime'])
          expect(new Date(end).getTime()).toBeLessThanOrEqual(expiresAt.getTime())
        }
        expect(Statement.at(-1)).toMatchObject({ Effect: 'Deny', Action: '*', Resource: '*' })
      },
    ),
    { numRuns: 40 },
  )
})
