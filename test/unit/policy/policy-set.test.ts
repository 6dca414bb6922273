import { MayflyError, type Json, type JsonObject } from '@mayfly/core'
import {
  compilePolicySet,
  digestOfResources,
  makePolicySource,
  makeResolveReference,
  parseResourceDocuments,
  type PolicySetSource,
  type ResourceProblem,
} from '@mayfly/policy'
import { describe, expect, test } from '@jest/globals'

import {
  agent,
  compile,
  connection,
  guardrail,
  issuer,
  permitAll,
  template,
  world,
} from './documents.ts'

function problemsOf(run: () => unknown): readonly string[] {
  try {
    run()
  } catch (error) {
    if (!(error instanceof MayflyError)) throw error
    expect(error.code).toBe('policy_set_invalid')
    const problems = error.details['problems'] as readonly ResourceProblem[]
    return problems.map(({ resource, path, message }) => `${resource} ${path}: ${message}`)
  }
  return []
}

const compiling = (...documents: readonly JsonObject[]) =>
  problemsOf(() => compile(world(...documents)))

/** Documents compiled with something more than themselves. */
function compileWith(more: Partial<PolicySetSource>, documents: readonly Json[]) {
  const resources = parseResourceDocuments(documents)
  return compilePolicySet({ version: 1, digest: '', resources, ...more })
}

describe('policies', () => {
  test('R40 are validated strictly against the template’s own parameters and claims', () => {
    const reads = (expression: string) =>
      compiling(
        template({
          claims: ['repository'],
          policy: `@id("p") permit(principal, action, resource) when { ${expression} };`,
        }),
      ).length === 0
    expect({
      parameter: reads('context.params.repository == "web"'),
      requiredClaim: reads('principal.claims.repository == "acme/web"'),
      guardedClaim: reads(
        'principal.claims has event_name && principal.claims.event_name == "push"',
      ),
      unguardedClaim: reads('principal.claims.event_name == "push"'),
      unknownParameter: reads('context.params.branch == "main"'),
      parameterOfAnotherType: reads('context.params.repository == 1'),
      callersReason: reads('context.reason == "urgent"'),
    }).toEqual({
      parameter: true,
      requiredClaim: true,
      guardedClaim: true,
      unguardedClaim: false,
      unknownParameter: false,
      parameterOfAnotherType: false,
      callersReason: false,
    })
  })

  test.each([
    ['does not parse', 'permit(principal, action'],
    ['has no @id', 'permit(principal, action, resource);'],
    ['has an @id that is used twice', permitAll + permitAll],
    ['has an @id that a guardrail has', '@id("house") permit(principal, action, resource);'],
    ['has a reserved @id', '@id("mayfly:all") permit(principal, action, resource);'],
    [
      'speaks of an unknown action',
      '@id("a") permit(principal, action == Mayfly::Action::"repo.own", resource);',
    ],
    ['is a Cedar template', '@id("a") permit(principal == ?principal, action, resource);'],
  ])('R42 one that %s is refused', (_what, policy) => {
    const house = guardrail(
      '@id("house") forbid(principal, action, resource) when { context.ttl > 900 };',
    )
    expect(compiling(house, template({ policy }))).toEqual([
      expect.stringMatching(/^ScopeTemplate\/repo spec\.policy: /),
    ])
  })

  test('of a guardrail may only forbid', () => {
    expect(compiling(guardrail('@id("p") permit(principal, action, resource);'))).toEqual([
      'Guardrail/house-rule spec.policy: p permits; a guardrail only forbids',
    ])
  })

  test('of two guardrails may not share an @id', () => {
    const policy = '@id("same") forbid(principal, action, resource) when { context.ttl > 900 };'
    expect(compiling(guardrail(policy, 'one'), guardrail(policy, 'two'))).toEqual([
      'Guardrail/two spec.policy: the @id same is used twice',
    ])
  })

  test('cannot rest on a claim that two issuers give different types', () => {
    const other = { ...issuer({ claims: { event_name: 'strings' } }), metadata: { name: 'other' } }
    expect(compiling(issuer(), other)).toContainEqual(
      'Issuer/other spec.claims.event_name: another Issuer gives this claim another type',
    )
  })

  test('of several templates are reported together', () => {
    const broken = template({ policy: 'permit' })
    const second = {
      ...broken,
      metadata: { ...(broken['metadata'] as JsonObject), name: 'second' },
    }
    expect(compiling(broken, second)).toHaveLength(2)
  })
})

describe('R47 the tests of a template', () => {
  const subject = { issuer: 'ci', claims: { repository_id: '42' } }
  const asks = (expected: string, more: JsonObject = {}, request: JsonObject = {}) =>
    template({
      tests: [
        {
          name: 'reading',
          subject,
          request: { actions: ['repo.read'], params: { repository: 'web' }, ...request },
          expect: expected,
          ...more,
        },
      ],
    })

  test('that hold let the set compile', () => {
    expect(compiling(asks('allow'))).toEqual([])
  })

  test('that fail refuse the set, and say why', () => {
    expect([
      compiling(asks('deny')),
      compiling(asks('allow', {}, { params: { repository: 'Web' } })),
    ]).toEqual([
      ['ScopeTemplate/repo spec.tests.0: "reading": expected deny, got allow'],
      [
        'ScopeTemplate/repo spec.tests.0: "reading": expected allow, got deny (parameter_invalid: parameter repository does not match its pattern)',
      ],
    ])
  })

  test('may ask for a code', () => {
    const tooLong = { ttl: '2h' }
    expect([
      compiling(asks('deny', { code: 'ttl_too_long' }, tooLong)),
      compiling(asks('deny', { code: 'denied' }, tooLong)),
    ]).toEqual([
      [],
      ['ScopeTemplate/repo spec.tests.0: "reading": expected the code denied, got ttl_too_long'],
    ])
  })

  test('hold whoever is quarantined, on leave, or late with a review', () => {
    const registry = agent({ quarantined: true })
    const named = asks('allow', { subject: { ...subject, agent: 'web-ci' } })
    const overdue = {
      ...named,
      metadata: { ...(named['metadata'] as JsonObject), reviewBy: '2020-01-01' },
    }
    expect(compiling(registry, overdue)).toEqual([])
  })

  test('see the guardrails', () => {
    const rule = guardrail('@id("closed") forbid(principal, action, resource);')
    expect(compiling(rule, asks('allow'))).toHaveLength(1)
  })
})

describe('references', () => {
  const resolve = makeResolveReference({
    env: { CI_ISSUER: 'https://ci.example', EMPTY: '' },
    readFile: (path) => {
      if (path === '/run/issuer') return 'https://file.example\n'
      throw new Error('ENOENT: s3cret')
    },
  })
  const issuerFrom = (reference: string) => {
    const set = compileWith({ resolve }, world(issuer({ issuer: reference })))
    return set.issuers.map((each) => each.issuer)
  }

  test('of an issuer are resolved in the compiled set, and stay as written in its resources', () => {
    const documents = world(issuer({ issuer: 'env:CI_ISSUER', keys: { url: 'file:/run/issuer' } }))
    const set = compileWith({ resolve }, documents)
    expect(set.issuers).toMatchObject([
      { issuer: 'https://ci.example', keys: { from: 'url', url: 'https://file.example' } },
    ])
    expect(set.resources).toEqual(parseResourceDocuments(documents))
  })

  test('that stand for nothing are named, without what they stand for', () => {
    expect(
      ['env:GONE', 'env:EMPTY', 'file:/gone'].map((ref) => problemsOf(() => issuerFrom(ref))),
    ).toEqual([
      ['Issuer/ci spec.issuer: env:GONE is not set'],
      ['Issuer/ci spec.issuer: env:EMPTY is not set'],
      ['Issuer/ci spec.issuer: file:/gone cannot be read'],
    ])
  })

  test('are refused where nobody resolves them', () => {
    expect(compiling(issuer({ issuer: 'env:CI_ISSUER' }))).toEqual([
      'Issuer/ci spec.issuer: env:CI_ISSUER cannot be resolved here',
    ])
  })
})

test('what others know to be wrong with issuers and connections is reported with the rest', () => {
  const checks = {
    issuerProblems: () => ['is not https'],
    assertConnection: () => {
      throw new MayflyError('policy_set_invalid', 'appId is missing')
    },
  }
  expect(problemsOf(() => compileWith(checks, world(connection())))).toEqual([
    'Issuer/ci spec: is not https',
    'Connection/github-acme spec.settings: appId is missing',
  ])
})

describe('versions', () => {
  const resources = (spec: JsonObject = {}) => parseResourceDocuments(world(template(spec)))

  test('the digest says whether two sets mean the same, however they are written', () => {
    const [first, ...others] = resources()
    const reordered = [...others, ...(first ? [first] : [])]
    const digest = digestOfResources(resources())
    expect(digest).toMatch(/^[0-9a-f]{64}$/)
    expect(digestOfResources(reordered)).toBe(digest)
    expect(digestOfResources(resources({ limits: { mintsPerHour: 1 } }))).not.toBe(digest)
  })

  test('a template keeps the version in which it last changed', () => {
    const versionIn = (versions: ReadonlyMap<string, number>) =>
      compileWith({ version: 9, versions }, world()).templates.get('repo')?.version
    expect([versionIn(new Map([['repo', 4]])), versionIn(new Map())]).toEqual([4, 9])
  })
})

describe('the source of policy sets', () => {
  test('G8 R46 fails closed until there is a set', () => {
    expect(() => makePolicySource().current()).toThrow(
      expect.objectContaining({ code: 'policy_unavailable' }),
    )
  })

  test('R46 swaps whole sets, and never goes back to an older one', () => {
    const source = makePolicySource()
    const [one, two] = [compile(world(), 1), compile(world(), 2)]
    const swapped = [source.swap(two), source.swap(one), source.swap(two)]
    expect([swapped, source.current() === two]).toEqual([[true, false, false], true])
  })
})
