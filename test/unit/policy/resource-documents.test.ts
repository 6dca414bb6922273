import { MayflyError, type JsonObject } from '@mayfly/core'
import { parseResourceDocuments, parseResourceFiles, type ResourceProblem } from '@mayfly/policy'
import { describe, expect, test } from '@jest/globals'

import {
  agent,
  connection,
  issuer,
  owner,
  template,
  templateWithoutProvider,
  world,
} from './documents.ts'

function problemsOf(run: () => unknown): readonly ResourceProblem[] {
  try {
    run()
  } catch (error) {
    if (!(error instanceof MayflyError)) throw error
    expect(error.code).toBe('policy_set_invalid')
    return error.details['problems'] as readonly ResourceProblem[]
  }
  return []
}

/** `resource path` of every problem. */
function places(...documents: readonly JsonObject[]): readonly string[] {
  return problemsOf(() => parseResourceDocuments(world(...documents))).map(
    ({ resource, path }) => `${resource} ${path}`,
  )
}

describe('documents', () => {
  test('become resources, with durations in seconds and provider keys in fragments', () => {
    const spec = { limits: { mintsPerHour: 3 }, claims: ['repository'] }
    const [, , , , parsed] = parseResourceDocuments(world(template(spec, { risk: 'low' })))
    expect(parsed).toEqual({
      kind: 'ScopeTemplate',
      name: 'repo',
      owner: 'alice@acme.example',
      reviewBy: new Date('2027-03-01T00:00:00Z'),
      environment: 'development',
      risk: 'low',
      provider: 'github',
      connection: 'github-acme',
      parameters: { repository: { type: 'string', pattern: '[a-z-]+' } },
      claims: ['repository'],
      resource: { type: 'Repo', id: 'acme/{{repository}}' },
      fragment: { account: 'acme', repositories: ['{{repository}}'] },
      actions: {
        'repo.read': { fragment: { permissions: { contents: 'read' } } },
        'repo.write': { fragment: { permissions: { contents: 'write' } } },
      },
      ttl: { defaultSeconds: 600, maxSeconds: 1800 },
      limits: { mintsPerHour: 3 },
      policy: '@id("everyone") permit(principal, action, resource);',
      tests: [],
    })
  })

  test('report every problem of every document together', () => {
    const found = places(
      owner({ active: 'yes' }),
      issuer({ maxTokenAge: '10 minutes', color: 'red' }),
      agent({ identities: [{ issuer: 'ci' }] }),
      connection({ provider: 'gitlab' }),
      template({ ttl: { default: '2h', max: '1h' } }),
    )
    expect([...found].sort()).toEqual([
      'Agent/web-ci spec.identities.0',
      'Connection/github-acme spec.provider',
      'Issuer/ci spec',
      'Issuer/ci spec.maxTokenAge',
      'Owner/alice@acme.example spec.active',
      'ScopeTemplate/repo spec.ttl',
    ])
  })

  test.each([
    ['another version', { ...owner(), apiVersion: 'mayfly.dev/v2' }],
    ['an unknown key beside spec', { ...owner(), status: {} }],
    ['an unknown kind', { ...owner(), kind: 'Wizard' }],
  ])('with %s are refused', (_what, document) => {
    expect(problemsOf(() => parseResourceDocuments([document]))).toHaveLength(1)
  })

  test('that are no documents are refused by their position', () => {
    const found = problemsOf(() => parseResourceDocuments([owner(), 'Owner']))
    expect(found.map(({ resource }) => resource)).toEqual(['document 2'])
  })

  test('may not share a kind and a name', () => {
    expect(places(owner(), owner())).toEqual(['Owner/alice@acme.example metadata.name'])
  })

  test('may only name what is in the set', () => {
    const stranger = { ...(template()['spec'] as JsonObject), connection: 'gone' }
    expect(
      places(
        agent({ identities: [{ issuer: 'gone', subject: 'x' }] }, { owner: 'gone@acme.example' }),
        { ...template(), spec: stranger },
      ),
    ).toEqual([
      'Agent/web-ci metadata.owner',
      'Agent/web-ci spec.identities.0.issuer',
      'ScopeTemplate/repo spec.connection',
    ])
  })
})

describe('an agent', () => {
  test('without any condition is refused: every token of the issuer would be it', () => {
    expect(places(agent({ identities: [{ issuer: 'ci', claims: {} }] }))).toEqual([
      'Agent/web-ci spec.identities.0',
    ])
  })

  test('is not recognised by a pattern that is no RE2 expression', () => {
    expect(places(agent({ identities: [{ issuer: 'ci', subject: 'a)|(b' }] }))).toEqual([
      'Agent/web-ci spec.identities.0.subject',
    ])
  })
})

describe('a template', () => {
  const invalid: readonly (readonly [string, JsonObject, string])[] = [
    [
      'R43 an action that nobody knows',
      { actions: { 'repo.own': { permissions: { contents: 'read' } } } },
      'spec.actions.repo.own',
    ],
    [
      'an action on another type of resource',
      { resource: { type: 'Package', id: 'x' } },
      'spec.actions.repo.read',
    ],
    ['a placeholder that is no parameter', { repositories: ['{{repo}}'] }, 'spec'],
    ['a placeholder that is not quite one', { repositories: ['{{ repository }}'] }, 'spec'],
    ['R64 no repositories', { repositories: [] }, 'spec.repositories'],
    ['two ways to name repositories', { repositoryIds: ['1'] }, 'spec'],
    [
      'a permission from a parameter',
      { actions: { 'repo.read': { permissions: { '{{repository}}': 'read' } } } },
      'spec.actions.repo.read.permissions.{{repository}}',
    ],
    [
      'an action without permissions',
      { actions: { 'repo.read': { permissions: {} } } },
      'spec.actions.repo.read.permissions',
    ],
    [
      'a level that GitHub does not know',
      { actions: { 'repo.read': { permissions: { contents: 'root' } } } },
      'spec.actions.repo.read.permissions.contents',
    ],
    ['an account from a parameter', { account: '{{repository}}' }, 'spec.account'],
    ['a claim that no issuer lists', { claims: ['groups'] }, 'spec.claims'],
    [
      'a parameter from a claim that no issuer lists',
      { parameters: { repository: { fromClaim: 'groups' } } },
      'spec.parameters.repository',
    ],
    ['no action', { actions: {} }, 'spec.actions'],
    ['an unknown key', { approvals: 2 }, 'spec'],
  ]

  test.each(invalid)('with %s is refused', (_what, spec, path) => {
    expect(places(template(spec))).toContain(`ScopeTemplate/repo ${path}`)
  })

  test.each([
    'workflows',
    'administration',
    'secrets',
    'environments',
    'members',
    'organization_hooks',
    'actions',
  ])('R70 with the high-risk permission %s has to accept it in words', (permission) => {
    const spec = { actions: { 'repo.write': { permissions: { [permission]: 'write' } } } }
    expect([places(template(spec)), places(template({ ...spec, allowHighRisk: true }))]).toEqual([
      ['ScopeTemplate/repo spec.actions.repo.write'],
      [],
    ])
  })

  test.each([
    'sts:AssumeRole',
    's*',
    'iam:PassRole',
    'ecr:GetAuthorizationToken',
    'ecr:Get*',
    '*',
    'CodeArtifact:getauthorizationtoken',
  ])('R78 with the AWS action %s has to accept that it cannot be revoked', (action) => {
    const aws = connection({ provider: 'aws' }, { name: 'aws' })
    const spec = {
      provider: 'aws',
      connection: 'aws',
      roleArn: 'arn:aws:iam::123456789012:role/x',
      resource: { type: 'AwsRole', id: 'x' },
      actions: { 'infra.change': { statements: [{ actions: [action], resources: ['*'] }] } },
    }
    const found = (more: JsonObject) => places(aws, templateWithoutProvider({ ...spec, ...more }))
    expect([found({}), found({ allowNonRevocable: true })]).toEqual([
      ['ScopeTemplate/repo spec.actions.infra.change'],
      [],
    ])
  })
})

describe('files', () => {
  const file = (text: string) => [{ path: 'policies/a.yaml', text }]

  test('hold several documents, and problems name file and line', () => {
    const text = [
      '# people',
      'apiVersion: mayfly.dev/v1',
      'kind: Owner',
      'metadata: { name: alice@acme.example }',
      'spec: { active: true }',
      '---',
      'apiVersion: mayfly.dev/v1',
      'kind: Owner',
      'metadata:',
      '  name: bob@acme.example',
      'spec:',
      '  active: perhaps',
    ].join('\n')
    expect(problemsOf(() => parseResourceFiles(file(text)))).toEqual([
      {
        resource: 'Owner/bob@acme.example',
        path: 'spec.active',
        message: 'Invalid input: expected boolean, received string',
        at: 'policies/a.yaml:12',
      },
    ])
  })

  test.each([
    ['is no YAML', 'kind: [Owner', 'policies/a.yaml:1'],
    ['has a key twice', 'kind: Owner\nkind: Owner', 'policies/a.yaml:2'],
    ['repeats itself by alias', 'a: &x [1]\nb: *x', 'policies/a.yaml:2'],
    ['has a tag', 'a: 1\nb: !secret aGk=', 'policies/a.yaml:2'],
  ])('text that %s is refused where it stands', (_what, text, at) => {
    expect(problemsOf(() => parseResourceFiles(file(text))).map((found) => found.at)).toContain(at)
  })

  test('that are empty hold nothing', () => {
    expect(parseResourceFiles(file('# later\n---\n'))).toEqual([])
  })
})
