import {
  decideLease,
  type Decision,
  type Json,
  type LeaseRequest,
  type PolicySet,
  type Task,
} from '@mayfly/core'
import { describe, expect, test } from '@jest/globals'

import {
  agent,
  compile,
  connection,
  guardrail,
  issuer,
  noon,
  owner,
  request,
  task,
  template,
  world,
} from './documents.ts'

interface Situation {
  readonly task?: Partial<Task>
  readonly request?: Partial<LeaseRequest>
  readonly now?: Date
}

function decide(documents: readonly Json[] | PolicySet, situation: Situation = {}): Decision {
  return decideLease({
    policySet: Array.isArray(documents) ? compile(documents) : (documents as PolicySet),
    task: task(situation.task),
    request: request(situation.request),
    now: situation.now ?? noon,
    newId: (prefix) => `${prefix}_1`,
    ceilingSeconds: 3600,
  })
}

function refusal(decision: Decision): { code: string; rule: string | null } | 'allowed' {
  if (decision.allowed) return 'allowed'
  return { code: decision.explanation.code, rule: decision.explanation.rule }
}

const denied = (rule: string | null) => ({ code: 'denied', rule })

describe('a decision', () => {
  test('R42 names what it rests on: policies, set version, digest, template version', () => {
    const policySet = compile(world(), 7)
    expect(decide(policySet)).toEqual({
      id: 'dec_1',
      allowed: true,
      taskId: 'tsk_1',
      template: 'repo',
      templateVersion: 7,
      policySetVersion: 7,
      policyDigest: policySet.digest,
      actions: ['repo.read'],
      parameters: { repository: 'web' },
      policies: ['everyone'],
      ttlSeconds: 600,
      scope: { account: 'acme', repositories: ['web'], permissions: { contents: 'read' } },
    })
  })

  test('G8 R40 without a permit is a denial that names no rule', () => {
    const policy = '@id("never") permit(principal, action, resource) when { context.ttl > 9999 };'
    expect(refusal(decide(world(template({ policy }))))).toEqual(denied(null))
  })

  test('needs every action to be allowed by itself', () => {
    const policy =
      '@id("reads") permit(principal, action == Mayfly::Action::"repo.read", resource);'
    const documents = world(template({ policy }))
    const decision = decide(documents, { request: { actions: ['repo.read', 'repo.write'] } })
    expect(refusal(decision)).toEqual(denied(null))
  })

  test('a guardrail wins over a permit, and tells its reason', () => {
    const rule = guardrail(`
      @id("no-writes") @reason("writing is closed today")
      forbid(principal, action == Mayfly::Action::"repo.write", resource);`)
    const decision = decide(world(rule), { request: { actions: ['repo.write'] } })
    expect(decision).toMatchObject({
      explanation: { code: 'denied', rule: 'no-writes', message: 'writing is closed today' },
    })
  })

  test('when several rules forbid, the organisation’s is named before the template’s', () => {
    const policy = '@id("own") forbid(principal, action, resource);'
    const rule = guardrail('@id("house") forbid(principal, action, resource);')
    expect(refusal(decide(world(rule, template({ policy }))))).toEqual(denied('house'))
  })

  test('R44 a rule about a repository meets it in any spelling', () => {
    const anyCase = template({
      parameters: { repository: { type: 'string', pattern: '[A-Za-z-]+' } },
    })
    const rule = guardrail(
      '@id("closed") forbid(principal, action, resource == Mayfly::Repo::"acme/vault");',
    )
    const decision = decide(world(anyCase, rule), {
      request: { parameters: { repository: 'VauLt' } },
    })
    expect(refusal(decision)).toEqual(denied('closed'))
  })
})

describe('G8 R41 a policy that fails to evaluate', () => {
  const overflow = 'context.ttl * 9223372036854775807 > 0'

  test('as a forbid denies, where Cedar alone would allow', () => {
    const rule = guardrail(
      `@id("broken") forbid(principal, action, resource) when { ${overflow} };`,
    )
    expect(refusal(decide(world(rule)))).toEqual({ code: 'policy_error', rule: null })
  })

  test('as a permit denies, even beside a permit that holds', () => {
    const policy = `
      @id("everyone") permit(principal, action, resource);
      @id("broken") permit(principal, action, resource) when { ${overflow} };`
    expect(refusal(decide(world(template({ policy }))))).toEqual({
      code: 'policy_error',
      rule: null,
    })
  })

  test.each([
    ['of another type', { event_name: 3 }],
    ['that no issuer lists', { unheard: 'of' }],
    ['that is null', { event_name: null }],
    ['that is a fraction', { level: 1.5 }],
  ])('a claim %s denies', (_what, odd: Record<string, Json>) => {
    const claims = { ...task().claims, ...odd }
    expect(refusal(decide(world(), { task: { claims } }))).toEqual({
      code: 'policy_error',
      rule: null,
    })
  })
})

describe('whatever set is applied, Mayfly forbids', () => {
  test('R93 a quarantined agent', () => {
    expect(refusal(decide(world(agent({ quarantined: true }))))).toEqual(
      denied('mayfly:quarantine'),
    )
  })

  test('R110 a template past its review', () => {
    const now = new Date('2027-03-01T00:00:01Z')
    const later = { now, task: { notAfter: new Date('2027-03-02T00:00:00Z') } }
    expect(refusal(decide(world(), later))).toEqual(denied('mayfly:review-overdue'))
  })

  test.each([
    ['agent', agent({}, { environment: 'production' })],
    ['issuer', issuer({ environments: ['production'] })],
    ['connection', connection({}, { environment: 'production' })],
    ['template', template({}, { environment: 'production' })],
  ])('R23 an environment of the %s that differs', (_which, document) => {
    expect(refusal(decide(world(document)))).toEqual(denied('mayfly:environment'))
  })

  test.each(['pull_request_target', 'issue_comment', 'workflow_run', 'pull_request'])(
    'R7 writing on the event %s',
    (event_name) => {
      const claims = { ...task().claims, event_name }
      const write = decide(world(), { task: { claims }, request: { actions: ['repo.write'] } })
      const read = decide(world(), { task: { claims } })
      expect([refusal(write), refusal(read)]).toEqual([denied('mayfly:untrusted-event'), 'allowed'])
    },
  )

  test('R7 unless the template names the event', () => {
    const claims = { ...task().claims, event_name: 'issue_comment' }
    const documents = world(template({ events: ['issue_comment'] }))
    const decision = decide(documents, { task: { claims }, request: { actions: ['repo.write'] } })
    expect(refusal(decision)).toBe('allowed')
  })

  test('R6 a high-risk template to an agent that is known by a name only', () => {
    const risky = template({}, { risk: 'high' })
    const byName = agent({ identities: [{ issuer: 'ci', claims: { repository: 'acme/web' } }] })
    const byAnyId = agent({ identities: [{ issuer: 'ci', claims: { repository_id: '.*' } }] })
    expect([agent(), byName, byAnyId].map((who) => refusal(decide(world(risky, who))))).toEqual([
      'allowed',
      denied('mayfly:immutable-identity'),
      denied('mayfly:immutable-identity'),
    ])
  })

  test('R12 when the owner of the agent or of the template is inactive', () => {
    expect(refusal(decide(world(owner({ active: false }))))).toEqual({
      code: 'owner_inactive',
      rule: null,
    })
  })

  test('R11 an agent whose registration is gone, or no longer names the issuer', () => {
    const unregistered = { code: 'agent_unregistered', rule: null }
    const moved = agent({ identities: [{ issuer: 'other', subject: 'x' }] })
    const other = { ...issuer(), metadata: { name: 'other' } }
    expect([
      refusal(decide(world(), { task: { agent: 'somebody' } })),
      refusal(decide(world(issuer(), other, moved))),
    ]).toEqual([unregistered, unregistered])
  })
})

test('R46 a set in use goes on deciding by its own policies after others were compiled', () => {
  const closed = guardrail('@id("closed") forbid(principal, action, resource);')
  const older = compile(world(), 1)
  const newer = compile(world(closed), 2)
  expect([older, newer, older].map((set) => refusal(decide(set)))).toEqual([
    'allowed',
    denied('closed'),
    'allowed',
  ])
})

test('more sets than Cedar has slots still decide by their own policies', () => {
  const sets = Array.from({ length: 130 }, (_, index) => {
    const policy = `@id("permit-${String(index)}") permit(principal, action, resource);`
    const only = template({ policy })
    return { index, documents: world(only) }
  })
  const first = compile(sets[0]?.documents ?? [])
  const policies = (set: PolicySet) => {
    const decision = decide(set)
    return decision.allowed ? decision.policies : []
  }
  expect(policies(first)).toEqual(['permit-0'])
  for (const { index, documents } of sets.slice(1)) {
    expect(policies(compile(documents))).toEqual([`permit-${String(index)}`])
  }
  expect(policies(first)).toEqual(['permit-0'])
})
