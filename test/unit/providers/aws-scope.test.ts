import { MayflyError, type Json } from '@mayfly/core'
import { makeAwsProvider, parseAwsSettings } from '@mayfly/providers'
import { describe, expect, test } from '@jest/globals'

import { ALLOWED, resolveSecret, ROLE_ARN, settingsFor } from '../../contract/aws-fixture.ts'
import { makeMemoryDenials } from '../../support/memory-denials.ts'

const provider = makeAwsProvider({
  // Nothing listens there: whatever is refused here is refused before anything is sent.
  settings: parseAwsSettings(settingsFor(new URL('http://127.0.0.1:1'))),
  resolveSecret,
  deniedSessions: makeMemoryDenials({ now: () => new Date() }),
  clock: { now: () => new Date() },
  timeoutMs: 1000,
})

const scope = (statement: Record<string, Json>, more: Record<string, Json> = {}): Json => ({
  roleArn: ROLE_ARN,
  statements: [{ actions: ['s3:GetObject'], resources: [ALLOWED], ...statement }],
  ...more,
})

function refusal(json: Json): unknown {
  try {
    provider.prepare(json)
    return 'accepted'
  } catch (error) {
    return error instanceof MayflyError ? [error.code, error.details['reason']] : error
  }
}

describe('R73 R74 R78 a scope is checked before anything is sent', () => {
  test.each<[string, Json, string]>([
    [
      'a role outside the allow-list',
      { ...(scope({}) as object), roleArn: `${ROLE_ARN}-admin` },
      'role_not_allowed',
    ],
    ['no action', scope({ actions: [] }), 'malformed'],
    ['no resource', scope({ resources: [] }), 'malformed'],
    ['every action', scope({ actions: ['*'] }), 'malformed'],
    ['every action of a service', scope({ actions: ['s3:*'] }), 'wildcard_action'],
    ['an action of every service', scope({ actions: ['*:GetObject'] }), 'malformed'],
    ['every resource', scope({ resources: ['*'] }), 'wildcard_resource'],
    ['every resource of a service', scope({ resources: ['arn:aws:s3:::*'] }), 'malformed'],
    [
      'every resource, spelt with a question mark',
      scope({ resources: ['arn:aws:s3:::?*'] }),
      'malformed',
    ],
    [
      'a resource of every service',
      scope({ resources: ['arn:aws:*:eu-west-1:123456789012:x'] }),
      'malformed',
    ],
    [
      'characters that STS does not take',
      scope({ resources: ['arn:aws:s3:::büilds/x'] }),
      'malformed',
    ],
    [
      'an operator that IAM does not have',
      scope({ conditions: { StringIsh: { 'aws:userid': 'x' } } }),
      'malformed',
    ],
    [
      'a hand on the lease’s own end',
      scope({ conditions: { DateLessThan: { 'aws:currenttime': '2030-01-01T00:00:00Z' } } }),
      'reserved_condition',
    ],
    ['an unknown field', scope({}, { duration: 3600 }), 'malformed'],
    [
      'eleven managed policies',
      scope(
        {},
        {
          policyArns: Array.from({ length: 11 }, (_, i) => `arn:aws:iam::aws:policy/P${String(i)}`),
        },
      ),
      'malformed',
    ],
    ['IAM', scope({ actions: ['iam:CreateUser'] }), 'non_revocable'],
    ['STS', scope({ actions: ['sts:AssumeRole'] }), 'non_revocable'],
    [
      'an ECR token',
      scope({ actions: ['ecr:GetAuthorizationToken'], resources: ['*'] }),
      'non_revocable',
    ],
    ['an ECR token behind a wildcard', scope({ actions: ['ecr:get*'] }), 'non_revocable'],
    [
      'a CodeArtifact token',
      scope({ actions: ['codeartifact:GetAuthorizationToken'] }),
      'non_revocable',
    ],
    [
      'lifting its own Deny, flagged or not',
      scope({ actions: ['iam:Put*'] }, { allowNonRevocable: true }),
      'lifts_revocation',
    ],
    [
      'a policy over 2,048 characters',
      scope({
        resources: Array.from({ length: 40 }, (_, i) => `${ALLOWED}/some/longer/path/${String(i)}`),
      }),
      'policy_too_long',
    ],
    [
      'policy ARNs that push it over 2,048',
      scope(
        {},
        {
          policyArns: Array.from(
            { length: 10 },
            (_, i) => `arn:aws:iam::123456789012:policy/${'p'.repeat(140)}${String(i)}`,
          ),
        },
      ),
      'policy_too_long',
    ],
  ])('%s is refused', (_what, json, reason) => {
    expect(refusal(json)).toEqual(['scope_invalid', reason])
  })

  test.each<[string, Json]>([
    [
      'a flagged ECR token',
      scope(
        { actions: ['ecr:GetAuthorizationToken'], resources: ['*'] },
        { allowNonRevocable: true },
      ),
    ],
    ['conditions of its own', scope({ conditions: { StringLike: { 's3:prefix': ['builds/*'] } } })],
    [
      'a wildcard within a name',
      scope({ actions: ['s3:Get*'], resources: ['arn:aws:s3:::acme-artifacts/*'] }),
    ],
    ['a managed policy', scope({}, { policyArns: ['arn:aws:iam::aws:policy/ReadOnlyAccess'] })],
  ])('%s is accepted', (_what, json) => {
    expect(refusal(json)).toBe('accepted')
  })

  test('targets name account, role, actions, buckets, policies and the flag', () => {
    const json = {
      roleArn: ROLE_ARN,
      statements: [
        { actions: ['s3:PutObject', 's3:GetObject'], resources: [ALLOWED, `${ALLOWED}.sig`] },
        {
          actions: ['logs:FilterLogEvents'],
          resources: ['arn:aws:logs:eu-west-1:210987654321:log-group:ci'],
        },
      ],
      policyArns: ['arn:aws:iam::aws:policy/ReadOnlyAccess'],
      allowNonRevocable: true,
    }
    expect(provider.prepare(json).targets).toEqual([
      'aws:account:123456789012',
      'aws:account:210987654321',
      `aws:role:${ROLE_ARN}`,
      'aws:action:s3:putobject',
      'aws:action:s3:getobject',
      'aws:action:logs:filterlogevents',
      'aws:resource:arn:aws:s3:::acme-artifacts',
      'aws:resource:arn:aws:logs:eu-west-1:210987654321:log-group:ci',
      'aws:policy:arn:aws:iam::aws:policy/ReadOnlyAccess',
      'aws:flag:non-revocable',
    ])
  })

  test('R74 a session lasts 900 seconds at least, and never longer than the connection allows', () => {
    const prepared = provider.prepare(scope({}))
    const lifetimeSeconds = (ttlSeconds: number) => prepared.lifetimeSeconds(ttlSeconds)
    expect([1, 900, 901.5, 3600].map(lifetimeSeconds)).toEqual([900, 900, 902, 3600])
    expect(() => lifetimeSeconds(3601)).toThrow(
      expect.objectContaining({ code: 'ttl_too_long', effect: 'none' }),
    )
  })
})

describe('settings', () => {
  const settings = settingsFor(new URL('https://sts.example'))
  const code = (more: Record<string, Json>) => {
    try {
      return parseAwsSettings({ ...settings, ...more })
    } catch (error) {
      return error instanceof MayflyError ? error.code : error
    }
  }

  test.each<[string, Record<string, Json>]>([
    ['no role', { allowedRoles: [] }],
    ['a role of another partition', { allowedRoles: ['arn:aws-cn:iam::123456789012:role/x'] }],
    ['a role with a wildcard', { allowedRoles: ['arn:aws:iam::123456789012:role/*'] }],
    ['a secret in the open', { minter: { accessKeyId: 'AKIA', secretAccessKey: 'plain' } }],
    ['R77 one identity for both', { revoker: settings['minter'] ?? null }],
    ['plain HTTP beyond loopback', { stsEndpoint: 'http://sts.example' }],
    ['a session under 900 seconds', { maxSessionSeconds: 899 }],
    ['an unknown field', { roles: [] }],
  ])('%s is refused', (_what, more) => {
    expect(code(more)).toBe('policy_set_invalid')
  })

  test('R74 role chaining is capped at an hour, an IAM user’s sessions are not', () => {
    const twelveHours = { maxSessionSeconds: 43_200 }
    expect(code(twelveHours)).toMatchObject({ maxSessionSeconds: 43_200 })
    expect(code({ ...twelveHours, minter: { from: 'default' } })).toMatchObject({
      maxSessionSeconds: 3600,
    })
    expect(code({ ...twelveHours, minter: { from: 'default' }, chained: false })).toMatchObject({
      maxSessionSeconds: 43_200,
    })
  })

  test('an hour, a minute of propagation and no overflow are the defaults', () => {
    const rest = Object.fromEntries(
      Object.entries(settings).filter(([name]) => name !== 'propagationSeconds'),
    )
    expect(parseAwsSettings(rest)).toMatchObject({
      partition: 'aws',
      maxSessionSeconds: 3600,
      propagationSeconds: 60,
      revokeOlderSessionsOnOverflow: false,
    })
  })
})
