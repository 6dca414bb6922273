import type { Agent, Json, VerifiedToken } from '@mayfly/core'
import { makeAgentMatcher, matchOperator } from '@mayfly/identity'
import { describe, expect, test } from '@jest/globals'

import { refusal } from './issuer-world.ts'
import { agent, policySet, verifiedToken, type PolicySetParts } from './policy-set.ts'

const match = (parts: PolicySetParts, token: Partial<VerifiedToken> = {}) =>
  makeAgentMatcher()(verifiedToken(token), policySet(parts))

const refused = (code: string, reason: string): object => ({
  code,
  message: 'this caller may not do this',
  reason,
})

/** `match` throws; the helper wants a promise. */
const refusalOf = (parts: PolicySetParts, token: Partial<VerifiedToken> = {}) =>
  refusal(Promise.resolve().then(() => match(parts, token)))

const payments = agent('payments-claude', { subject: 'repo:acme/payments:ref:refs/heads/[a-z]+' })

test('R11 a token is the agent whose identity it matches', () => {
  const web = agent('web-claude', { subject: 'repo:acme/web:.*' })
  const token = verifiedToken()
  expect(makeAgentMatcher()(token, policySet({ agents: [web, payments] }))).toEqual({
    token,
    agent: payments,
  })
})

describe('R11 an unregistered workload gets nothing, even with a valid token', () => {
  test.each<[string, Agent[]]>([
    ['no agents', []],
    ['an agent of another issuer', [agent('a', { issuer: 'gitlab', subject: '.*' })]],
    ['a pattern that matches the beginning', [agent('a', { subject: 'repo:acme/payments' })]],
    ['a pattern that matches the end', [agent('a', { subject: 'refs/heads/main' })]],
    ['alternatives of which one matches in part', [agent('a', { subject: 'x|repo:acme' })]],
    ['an identity without conditions', [agent('a', {})]],
    ['a claim that the token does not have', [agent('a', { claims: { repository_id: '.*' } })]],
    ['a claim that every object has', [agent('a', { claims: { toString: '.*' } })]],
    [
      'one condition of two that holds',
      [agent('a', { subject: '.*', claims: { repository_id: '42' } })],
    ],
  ])('%s', async (_, agents) => {
    expect(await refusalOf({ agents })).toEqual(refused('agent_unregistered', 'agent_unknown'))
  })
})

test.each<[Json, boolean]>([
  ['42', true],
  [42, true],
  ['142', false],
  ['42\n', false],
  [['42'], false],
  [null, false],
])('R6 a claim of %j matched with the pattern 42: %p', async (repository_id, expected) => {
  const agents = [agent('a', { claims: { repository_id: '42' } })]
  const attempt = Promise.resolve().then(() => match({ agents }, { claims: { repository_id } }))
  if (expected) expect((await attempt).agent.name).toBe('a')
  else expect((await refusal(attempt)).reason).toBe('agent_unknown')
})

test('several identities of one agent may match', () => {
  const both = {
    ...payments,
    identities: [...payments.identities, { issuer: 'github-actions', subject: '.*', claims: {} }],
  }
  expect(match({ agents: [both] }).agent).toBe(both)
})

test('R11 a token that could be two agents is neither', async () => {
  const agents = [payments, agent('any', { subject: 'repo:acme/.*' })]
  expect(await refusalOf({ agents })).toEqual(refused('agent_unregistered', 'agent_ambiguous'))
})

test('R23 an issuer cannot make agents of an environment that it does not vouch for', async () => {
  const agents = [{ ...payments, environment: 'production' }]
  expect(await refusalOf({ agents })).toEqual(
    refused('agent_unregistered', 'environment_not_vouched'),
  )
})

test("R13 an operators' issuer cannot make agents", async () => {
  const agents = [agent('a', { issuer: 'people', subject: 'ada' })]
  expect(await refusalOf({ agents }, { issuer: 'people', subject: 'ada' })).toEqual(
    refused('agent_unregistered', 'environment_not_vouched'),
  )
})

test('R93 a quarantined agent gets nothing', async () => {
  const agents = [{ ...payments, quarantined: true }]
  expect(await refusalOf({ agents })).toEqual(refused('denied', 'agent_quarantined'))
})

test.each([[{}], [{ 'ada@acme.example': false }]])(
  'R12 an agent whose owner is not there gets nothing (%j)',
  async (owners) => {
    expect(await refusalOf({ agents: [payments], owners })).toEqual(
      refused('owner_inactive', 'owner_inactive'),
    )
  },
)

test('one matcher follows the policy set that it is given', async () => {
  const matchAgent = makeAgentMatcher()
  expect(matchAgent(verifiedToken(), policySet({ agents: [payments] })).agent).toBe(payments)
  const attempt = Promise.resolve().then(() => matchAgent(verifiedToken(), policySet()))
  expect((await refusal(attempt)).reason).toBe('agent_unknown')
})

test('a pattern made to be slow is not', () => {
  const agents = [agent('a', { subject: '(a+)+' })]
  const started = performance.now()
  expect(() => match({ agents }, { subject: `${'a'.repeat(2000)}!` })).toThrow('may not')
  expect(performance.now() - started).toBeLessThan(2_000)
})

describe('R13 operators', () => {
  const binding = {
    kind: 'RoleBinding',
    name: 'responders',
    role: 'responder',
    issuer: 'people',
    subjects: ['ada', 'bob'],
  } as const
  const roleBindings = [
    binding,
    { ...binding, name: 'platform', role: 'platform', subjects: ['ada'] },
    { ...binding, name: 'on-call', subjects: ['ada'] },
    { ...binding, name: 'others', role: 'auditor', issuer: 'elsewhere' },
  ] as const
  const person = (subject: string) =>
    matchOperator(verifiedToken({ issuer: 'people', subject }), policySet({ roleBindings }))

  test('hold the roles that are bound to exactly them', () => {
    expect(person('ada')).toEqual({
      issuer: 'people',
      subject: 'ada',
      roles: ['responder', 'platform'],
    })
    expect(person('ad').roles).toEqual([])
  })

  test('are never agents', async () => {
    const attempt = Promise.resolve().then(() => matchOperator(verifiedToken(), policySet()))
    expect(await refusal(attempt)).toMatchObject({ code: 'unauthenticated', reason: 'class_wrong' })
  })
})
