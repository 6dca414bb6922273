import type { Json, JsonObject, LeaseRequest, PolicySet, Task } from '@mayfly/core'
import { compilePolicySet, digestOfResources, parseResourceDocuments } from '@mayfly/policy'

export const noon = new Date('2026-11-23T12:00:00Z')

const document = (kind: string, metadata: JsonObject, spec: JsonObject): JsonObject => ({
  apiVersion: 'mayfly.dev/v1',
  kind,
  metadata,
  spec,
})

export const owner = (spec: JsonObject = { active: true }): JsonObject =>
  document('Owner', { name: 'alice@acme.example' }, spec)

export const issuer = (spec: JsonObject = {}): JsonObject =>
  document(
    'Issuer',
    { name: 'ci' },
    {
      type: 'oidc',
      tokenClass: 'workload',
      environments: ['development'],
      issuer: 'https://ci.acme.example',
      audience: 'mayfly',
      algorithms: ['RS256'],
      keys: 'discovery',
      claims: {
        repository: 'string',
        repository_id: 'string',
        event_name: 'string',
        level: 'integer',
      },
      ...spec,
    },
  )

export const agent = (spec: JsonObject = {}, metadata: JsonObject = {}): JsonObject =>
  document(
    'Agent',
    { name: 'web-ci', owner: 'alice@acme.example', environment: 'development', ...metadata },
    {
      kind: 'ci-assistant',
      team: 'web',
      identities: [{ issuer: 'ci', claims: { repository_id: '42' } }],
      ...spec,
    },
  )

export const connection = (spec: JsonObject = {}, metadata: JsonObject = {}): JsonObject =>
  document(
    'Connection',
    { name: 'github-acme', environment: 'development', ...metadata },
    { provider: 'github', settings: {}, ...spec },
  )

export const permitAll = '@id("everyone") permit(principal, action, resource);'

export const template = (spec: JsonObject = {}, metadata: JsonObject = {}): JsonObject =>
  document(
    'ScopeTemplate',
    {
      name: 'repo',
      owner: 'alice@acme.example',
      reviewBy: '2027-03-01',
      environment: 'development',
      ...metadata,
    },
    {
      provider: 'github',
      connection: 'github-acme',
      account: 'acme',
      parameters: { repository: { type: 'string', pattern: '[a-z-]+' } },
      resource: { type: 'Repo', id: 'acme/{{repository}}' },
      repositories: ['{{repository}}'],
      actions: {
        'repo.read': { permissions: { contents: 'read' } },
        'repo.write': { permissions: { contents: 'write' } },
      },
      ttl: { default: '10m', max: '30m' },
      policy: permitAll,
      ...spec,
    },
  )

/** {@link template} without what is GitHub's. */
export const templateWithoutProvider = (spec: JsonObject): JsonObject => {
  const written = template() as { readonly spec: JsonObject } // as made above
  const neutral = Object.entries(written.spec).filter(
    ([key]) => !['provider', 'account', 'repositories', 'actions'].includes(key),
  )
  return { ...written, spec: { ...Object.fromEntries(neutral), ...spec } }
}

export const guardrail = (policy: string, name = 'house-rule'): JsonObject =>
  document('Guardrail', { name, owner: 'alice@acme.example' }, { policy })

/** A set that compiles, with one document of each kind that a template needs. */
export function world(...more: readonly JsonObject[]): readonly Json[] {
  const kinds = new Set(more.map(({ kind }) => kind))
  const base = [owner(), issuer(), agent(), connection(), template()]
  return [...base.filter(({ kind }) => !kinds.has(kind ?? '')), ...more]
}

export function compile(documents: readonly Json[], version = 1): PolicySet {
  const resources = parseResourceDocuments(documents)
  return compilePolicySet({ version, digest: digestOfResources(resources), resources })
}

export const task = (more: Partial<Task> = {}): Task => ({
  id: 'tsk_1',
  agent: 'web-ci',
  owner: 'alice@acme.example',
  environment: 'development',
  issuer: 'ci',
  subject: 'job-1',
  claims: { repository: 'acme/web', repository_id: '42' },
  intent: { reason: 'fix the login page' },
  declarations: [{ template: 'repo', actions: ['repo.read', 'repo.write'], parameters: {} }],
  openedAt: noon,
  notAfter: new Date('2026-11-23T13:00:00Z'),
  closedAt: null,
  ...more,
})

export const request = (more: Partial<LeaseRequest> = {}): LeaseRequest => ({
  template: 'repo',
  actions: ['repo.read'],
  parameters: { repository: 'web' },
  ...more,
})
