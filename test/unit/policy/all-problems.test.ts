import { describe, expect, test } from '@jest/globals'
import { MayflyError, type Json } from '@mayfly/core'
import { compilePolicySet, readResourceDocuments } from '@mayfly/policy'
import { githubTemplateProblems } from '@mayfly/providers'

import { agent, connection, issuer, owner, template } from './documents.ts'

function problemsOf(documents: readonly Json[]): readonly string[] {
  const { resources, ...found } = readResourceDocuments(documents)
  try {
    compilePolicySet({
      ...{ version: 1, digest: 'd', resources, found },
      templateProblems: githubTemplateProblems,
    })
  } catch (error) {
    if (!(error instanceof MayflyError) || error.code !== 'policy_set_invalid') throw error
    const problems = error.details['problems'] as {
      resource: string
      path: string
      message: string
    }[]
    return problems.map((one) => `${one.resource} ${one.path}: ${one.message}`)
  }
  return []
}

const all = [owner(), issuer(), agent(), connection(), template()]
const actions = (permissions: Json): Json => ({ 'repo.read': { permissions } })

describe('the problems of a set', () => {
  test('a set without any compiles', () => {
    expect(problemsOf(all)).toEqual([])
  })

  test('of form, of reference, of policy and of the provider are told together', () => {
    const problems = problemsOf([
      { ...(owner() as object), spec: { active: 'yes' } },
      issuer(),
      agent({}, { owner: 'alise@acme.example' }),
      connection(),
      template({ actions: actions({ content: 'read' }) }),
      template(
        {
          policy:
            '@id("other") permit(principal, action == Mayfly::Action::"repo.read", resource) when { context.nothing };',
        },
        { name: 'another' },
      ),
    ])
    expect(problems).toEqual([
      expect.stringMatching(/^Owner\/alice@acme.example spec.active: /),
      'Agent/web-ci metadata.owner: Owner/alise@acme.example is not in the set; did you mean Owner/alice@acme.example?',
      expect.stringMatching(
        /^ScopeTemplate\/[\w-]+ spec.actions.repo.read.permissions.content: GitHub has no permission content; did you mean contents\?$/,
      ),
      expect.stringMatching(/^ScopeTemplate\/another spec.policy: .*nothing/),
    ])
  })

  test('of policies are not guessed where an Issuer could not be read: it may list any claim', () => {
    const broken = { ...(issuer() as object), spec: {} } as Json
    const problems = problemsOf(all.map((one) => (one === all[1] ? broken : one)))
    expect(problems.length).toBeGreaterThan(0)
    expect(problems.every((problem) => problem.startsWith('Issuer/ci'))).toBe(true)
  })

  test.each([
    [{ contents: 'wirte' }, /Invalid option/],
    [{ contents: 'admin' }, /contents has no level admin on GitHub: it has read, write/],
    [{ pull_request: 'write' }, /did you mean pull_requests/],
    [{ kittens: 'read' }, /GitHub has no permission kittens$/],
  ])('the permissions %j are refused', (permissions, words) => {
    const problems = problemsOf([...all.slice(0, 4), template({ actions: actions(permissions) })])
    expect(problems).toEqual([expect.stringMatching(words)])
  })

  test('an action that is misspelt is told with the one that was meant', () => {
    const written = { 'repo.reed': { permissions: { contents: 'read' } } }
    const [first] = problemsOf([...all.slice(0, 4), template({ actions: written })])
    expect(first).toMatch(/is not an action that Mayfly knows; did you mean repo.read\?$/)
  })
})
