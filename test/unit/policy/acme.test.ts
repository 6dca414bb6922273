import { readdirSync, readFileSync } from 'node:fs'

import {
  decideLease,
  Secret,
  type Decision,
  type JsonObject,
  type LeaseRequest,
  type Task,
} from '@mayfly/core'
import { compilePolicySet, digestOfResources, parseResourceFiles } from '@mayfly/policy'
import {
  assertConnection,
  githubScopeSchema,
  makeAwsProvider,
  parseAwsSettings,
  vaultScopeSchema,
} from '@mayfly/providers'
import { describe, expect, test } from '@jest/globals'

import { makeMemoryDenials } from '../../support/memory-denials.ts'

const now = new Date('2026-11-23T12:00:00Z')
const directory = new URL('../../../examples/acme/', import.meta.url)
const resources = parseResourceFiles(
  readdirSync(directory)
    .filter((file) => file.endsWith('.yaml'))
    .map((path) => ({ path, text: readFileSync(new URL(path, directory), 'utf8') })),
)
const resolve = (reference: string) =>
  /ISSUER|URL|ENDPOINT|ADDRESS/.test(reference) ? 'https://somewhere.example' : '1'
const acme = compilePolicySet({
  version: 1,
  digest: digestOfResources(resources),
  resources,
  resolve,
  assertConnection: (connection) => {
    assertConnection(connection, resolve)
  },
})

const subjects = {
  webCi: {
    agent: 'web-ci',
    owner: 'alice@acme.example',
    issuer: 'github-actions',
    claims: {
      repository: 'acme/web',
      repository_id: '4201',
      ref: 'refs/heads/main',
      event_name: 'push',
    },
  },
  laptop: { agent: 'alice-laptop', owner: 'alice@acme.example', issuer: 'laptops', claims: {} },
  pipeline: {
    agent: 'data-pipeline',
    owner: 'bob@acme.example',
    issuer: 'gitlab',
    claims: { project_id: '77', ref_protected: 'true' },
  },
} satisfies Record<string, Pick<Task, 'agent' | 'owner' | 'issuer' | 'claims'>>

interface Ask {
  readonly by: keyof typeof subjects
  readonly template: string
  readonly actions: readonly string[]
  readonly parameters?: JsonObject
}

function decide({ by, ...asked }: Ask): Decision {
  const request: LeaseRequest = { parameters: {}, ...asked }
  return decideLease({
    policySet: acme,
    task: {
      ...subjects[by],
      id: 'tsk_1',
      environment: 'development',
      subject: 's',
      intent: { reason: 'r' },
      declarations: [{ template: asked.template, actions: asked.actions, parameters: {} }],
      openedAt: now,
      notAfter: new Date(now.getTime() + 3_600_000),
      closedAt: null,
    },
    request,
    now,
    newId: (prefix) => `${prefix}_1`,
    ceilingSeconds: 3600,
  })
}

function scopeOf(ask: Ask): JsonObject {
  const decision = decide(ask)
  if (decision.allowed) return decision.scope
  throw new Error(`${decision.explanation.code}: ${decision.explanation.message}`)
}

const github: readonly Ask[] = [
  {
    by: 'webCi',
    template: 'github-feature-branch',
    actions: ['repo.read', 'repo.write'],
    parameters: { repository: 'Acme/Web' },
  },
  {
    by: 'laptop',
    template: 'github-checkout',
    actions: ['repo.read'],
    parameters: { repository: 'payments' },
  },
  { by: 'webCi', template: 'github-pull-request-review', actions: ['repo.read', 'repo.write'] },
  {
    by: 'webCi',
    template: 'github-package-publish',
    actions: ['package.publish'],
    parameters: { package: '@acme/ui' },
  },
]

const aws: readonly Ask[] = [
  {
    by: 'webCi',
    template: 'aws-artifact-deploy',
    actions: ['infra.change'],
    parameters: { service: 'web', build: '1.2.3' },
  },
  {
    by: 'laptop',
    template: 'aws-log-reading',
    actions: ['secret.read'],
    parameters: { service: 'payments' },
  },
  {
    by: 'pipeline',
    template: 'aws-codeartifact-publish',
    actions: ['package.publish'],
    parameters: { package: 'frames' },
  },
]

const vault: readonly Ask[] = [
  {
    by: 'laptop',
    template: 'vault-kv-read',
    actions: ['secret.read'],
    parameters: { team: 'web', secret: 'app/session' },
  },
  {
    by: 'pipeline',
    template: 'vault-database-readonly',
    actions: ['secret.read'],
    parameters: { database: 'orders' },
  },
]

describe('the example organisation', () => {
  test('is used in full by these tests', () => {
    const tested = [...github, ...aws, ...vault].map(({ template }) => template).sort()
    expect(tested).toEqual([...acme.templates.keys()].sort())
  })

  test.each(github)('$template gives a scope that the GitHub adapter accepts', (ask) => {
    expect(githubScopeSchema.safeParse(scopeOf(ask))).toMatchObject({ success: true })
  })

  test.each(vault)('$template gives a scope that the Vault adapter accepts', (ask) => {
    expect(vaultScopeSchema.safeParse(scopeOf(ask))).toMatchObject({ success: true })
  })

  test.each(aws)('$template gives a scope that the AWS adapter accepts', (ask) => {
    const { settings } = acme.connections.get('aws-acme') ?? { settings: {} }
    const at = { stsEndpoint: 'https://sts.example', iamEndpoint: 'https://iam.example' }
    const provider = makeAwsProvider({
      settings: parseAwsSettings({ ...settings, ...at }),
      resolveSecret: () => new Secret('x'),
      deniedSessions: makeMemoryDenials({ now: () => new Date() }),
      clock: { now: () => now },
      timeoutMs: 1000,
    })
    expect(provider.prepare(scopeOf(ask)).targets.length).toBeGreaterThan(0)
  })

  test('gives a job the repository that it runs in, by the id in its token', () => {
    expect(github.slice(0, 1).map(scopeOf)).toEqual([
      {
        account: 'acme',
        repositoryIds: ['4201'],
        permissions: { contents: 'write', pull_requests: 'write' },
      },
    ])
  })

  test('R53 tells a job that asks for too much what it may have', () => {
    const decision = decide({
      by: 'laptop',
      template: 'vault-kv-read',
      actions: ['secret.read'],
      parameters: { team: 'payments', secret: 'app' },
    })
    expect(decision).toMatchObject({
      allowed: false,
      explanation: { code: 'denied', nearest: null },
    })
  })

  test.each([...acme.templates.values()].map(({ template }) => template))(
    '$name tests both an allow and a denial',
    ({ tests }) => {
      expect(new Set(tests.map((each) => each.expect))).toEqual(new Set(['allow', 'deny']))
    },
  )
})
