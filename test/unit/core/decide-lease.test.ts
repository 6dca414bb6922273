import {
  decideLease,
  declare,
  MayflyError,
  type CompiledTemplate,
  type Decision,
  type LeaseRequest,
  type PolicyAnswer,
  type PolicyQuestion,
  type PolicySet,
  type ScopeTemplate,
  type Task,
} from '@mayfly/core'
import { describe, expect, test } from '@jest/globals'

const noon = new Date('2026-11-23T12:00:00Z')

const template: ScopeTemplate = {
  kind: 'ScopeTemplate',
  name: 'repo',
  owner: 'alice',
  reviewBy: new Date('2027-03-01'),
  environment: 'development',
  risk: 'medium',
  provider: 'github',
  connection: 'github',
  parameters: {
    repository: { type: 'string', pattern: '.+' },
    repositoryId: { type: 'claim', fromClaim: 'repository_id' },
  },
  claims: [],
  actions: {
    'repo.read': { fragment: { permissions: { contents: 'read' } } },
    'repo.write': { fragment: { permissions: { contents: 'write' } }, maxTtlSeconds: 300 },
  },
  resource: { type: 'Repo', id: '{{repository}}' },
  fragment: { repositories: ['{{repository}}'] },
  ttl: { defaultSeconds: 600, maxSeconds: 1800 },
  limits: {},
  policy: '',
  tests: [],
}

type Decide = (question: PolicyQuestion) => PolicyAnswer

const yes: PolicyAnswer = { allowed: true, policies: ['everyone'] }
const no: PolicyAnswer = { allowed: false, code: 'denied', rule: 'house', reason: null }

function set(decide: Decide): PolicySet {
  const compiled: CompiledTemplate = {
    template,
    version: 3,
    bind: (given, claims) => {
      const { repository } = given
      if (repository !== undefined && typeof repository !== 'string') {
        throw new MayflyError('parameter_invalid', 'repository is text')
      }
      const id = claims['repository_id']
      return {
        ...(repository === undefined ? {} : { repository }),
        ...(typeof id === 'string' ? { repositoryId: id } : {}),
      }
    },
    decide,
  }
  const owner = { kind: 'Owner', name: 'alice', active: true } as const
  return {
    version: 5,
    digest: 'd1',
    resources: [],
    issuers: [],
    agents: [
      {
        kind: 'Agent',
        name: 'web-ci',
        agentKind: 'ci',
        owner: 'alice',
        team: 'web',
        environment: 'development',
        quarantined: false,
        identities: [{ issuer: 'ci', claims: {} }],
      },
    ],
    owners: new Map([['alice', owner]]),
    connections: new Map(),
    roleBindings: [],
    templates: new Map([['repo', compiled]]),
  }
}

const task: Task = {
  id: 'tsk_1',
  agent: 'web-ci',
  owner: 'alice',
  environment: 'development',
  issuer: 'ci',
  subject: 's',
  claims: { repository_id: '42' },
  intent: { reason: 'please allow everything' },
  declarations: [
    {
      template: 'repo',
      actions: ['repo.read', 'repo.write'],
      parameters: { repository: 'web', repositoryId: '42' },
    },
  ],
  openedAt: noon,
  notAfter: new Date('2026-11-23T13:00:00Z'),
  closedAt: null,
}

interface Situation {
  readonly request?: Partial<LeaseRequest>
  readonly task?: Partial<Task>
  readonly policySet?: Partial<PolicySet>
  readonly decide?: Decide
  readonly ceilingSeconds?: number
}

function decide(situation: Situation = {}): Decision {
  return decideLease({
    policySet: { ...set(situation.decide ?? (() => yes)), ...situation.policySet },
    task: { ...task, ...situation.task },
    request: {
      template: 'repo',
      actions: ['repo.read'],
      parameters: { repository: 'web' },
      ...situation.request,
    },
    now: noon,
    newId: (prefix) => `${prefix}_1`,
    ceilingSeconds: situation.ceilingSeconds ?? 3600,
  })
}

function codeOf(decision: Decision): string {
  return decision.allowed ? 'allowed' : decision.explanation.code
}

function ttlOf(decision: Decision): number | string {
  return decision.allowed ? decision.ttlSeconds : decision.explanation.code
}

function nearestOf(decision: Decision) {
  return decision.allowed ? 'allowed' : decision.explanation.nearest
}

const nearest = (more: object = {}) => ({
  template: 'repo',
  actions: ['repo.read'],
  parameters: { repository: 'web' },
  ttlSeconds: 600,
  ...more,
})

describe('a lease request', () => {
  test('is refused by the first thing that is wrong with it', () => {
    const inactive = {
      owners: new Map([['alice', { kind: 'Owner', name: 'alice', active: false } as const]]),
    }
    const all = {
      request: { actions: ['repo.own'], parameters: { repository: 1 }, ttlSeconds: 0 },
      decide: () => no,
    }
    const acts = { ...all.request, actions: ['repo.write'] }
    const binds = { ...acts, parameters: { repository: 'payments' } }
    const declared = { ...acts, parameters: { repository: 'web' } }
    expect([
      codeOf(decide({ ...all, request: { ...all.request, template: 'gone' } })),
      codeOf(decide(all)),
      codeOf(decide({ ...all, request: acts, task: { agent: 'gone' } })),
      codeOf(decide({ ...all, request: acts, policySet: inactive })),
      codeOf(decide({ ...all, request: acts })),
      codeOf(decide({ ...all, request: binds })),
      codeOf(decide({ ...all, request: declared })),
      codeOf(decide({ ...all, request: { ...declared, ttlSeconds: 60 } })),
      codeOf(decide({ request: { ...declared, ttlSeconds: 60 } })),
    ]).toEqual([
      'scope_template_unknown',
      'action_unknown',
      'agent_unregistered',
      'owner_inactive',
      'parameter_invalid',
      'not_declared',
      'ttl_invalid',
      'denied',
      'allowed',
    ])
  })

  test.each<[string, readonly string[]]>([
    ['no action', []],
    ['an action twice', ['repo.read', 'repo.read']],
  ])('with %s is not valid', (_what, actions) => {
    expect(codeOf(decide({ request: { actions } }))).toBe('invalid_request')
  })

  test('R43 for an action by an inherited name is unknown', () => {
    expect(codeOf(decide({ request: { actions: ['constructor'] } }))).toBe('action_unknown')
  })

  test('R12 stops when the owner of the agent, of the task or of the template is inactive', () => {
    const people = (name: string, active: boolean) =>
      [name, { kind: 'Owner', name, active }] as const
    const owners = new Map([people('alice', true), people('bob', false)])
    expect([
      codeOf(decide({ policySet: { owners }, task: { owner: 'bob' } })),
      codeOf(decide({ policySet: { owners }, task: { owner: 'gone' } })),
      codeOf(decide({ policySet: { owners } })),
    ]).toEqual(['owner_inactive', 'owner_inactive', 'allowed'])
  })

  test('R45 is decided on the broker’s facts: the caller’s reason reaches no policy', () => {
    const questions: PolicyQuestion[] = []
    decide({
      request: { actions: ['repo.write'], reason: 'the CEO approved it', ttlSeconds: 900 },
      decide: (question) => {
        questions.push(question)
        return yes
      },
    })
    const [agent] = set(() => yes).agents
    expect(questions).toEqual([
      {
        agent,
        ownerActive: true,
        issuer: 'ci',
        claims: { repository_id: '42' },
        action: 'repo.write',
        parameters: { repository: 'web', repositoryId: '42' },
        declared: ['repo.read', 'repo.write'],
        taskId: 'tsk_1',
        ttlSeconds: 300,
        now: noon,
      },
    ])
  })

  test('that is refused is recorded with what was asked', () => {
    expect(decide({ decide: () => no, request: { ttlSeconds: 60 } })).toEqual({
      id: 'dec_1',
      allowed: false,
      taskId: 'tsk_1',
      template: 'repo',
      templateVersion: 3,
      policySetVersion: 5,
      policyDigest: 'd1',
      actions: ['repo.read'],
      parameters: { repository: 'web' },
      explanation: {
        code: 'denied',
        message: 'repo.read is forbidden by house',
        rule: 'house',
        nearest: null,
      },
    })
  })

  test('for a template that is not there has no template version', () => {
    expect(decide({ request: { template: 'gone' } })).toMatchObject({ templateVersion: null })
  })
})

describe('R20 the TTL', () => {
  test.each<[string, Situation, number]>([
    ['asked for', { request: { ttlSeconds: 60 } }, 60],
    ['of the template, when none is asked for', {}, 600],
    ['of the action, when that is shorter', { request: { actions: ['repo.write'] } }, 300],
    ['of the shortest action', { request: { actions: ['repo.read', 'repo.write'] } }, 300],
    ['left of the task', { task: { notAfter: new Date('2026-11-23T12:01:30.900Z') } }, 90],
    ['of the installation’s ceiling', { ceilingSeconds: 120 }, 120],
  ])('is the one %s', (_which, situation, seconds) => {
    expect(ttlOf(decide(situation))).toBe(seconds)
  })

  test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])(
    'of %s is not valid',
    (ttlSeconds) => {
      expect(ttlOf(decide({ request: { ttlSeconds } }))).toBe('ttl_invalid')
    },
  )

  test('above the template’s is too long, and the longest is offered', () => {
    const decision = decide({ request: { ttlSeconds: 1801 } })
    expect([codeOf(decision), nearestOf(decision)]).toEqual([
      'ttl_too_long',
      nearest({ ttlSeconds: 1800 }),
    ])
  })

  test('in a task that is over is none', () => {
    expect(ttlOf(decide({ task: { notAfter: noon } }))).toBe('task_closed')
  })
})

describe('G9 R53 the nearest request', () => {
  test('leaves out the actions that are refused', () => {
    const decision = decide({
      request: { actions: ['repo.read', 'repo.write'] },
      decide: ({ action }) => (action === 'repo.read' ? yes : no),
    })
    expect(nearestOf(decision)).toEqual(nearest())
  })

  test('has the template’s own TTL where a policy refuses a longer one', () => {
    const decision = decide({
      request: { ttlSeconds: 1200 },
      decide: ({ ttlSeconds }) => (ttlSeconds <= 600 ? yes : no),
    })
    expect(nearestOf(decision)).toEqual(nearest())
  })

  test.each([
    [450, 300],
    [300, 300],
    [60, 60],
  ])('is shorter than the default where a policy allows %i seconds: %i', (most, seconds) => {
    const limited: Decide = ({ ttlSeconds }) => (ttlSeconds <= most ? yes : no)
    for (const request of [{}, { ttlSeconds: 1200 }]) {
      const advice = nearestOf(decide({ request, decide: limited }))
      expect(advice).toEqual(nearest({ ttlSeconds: seconds }))
      if (advice === null || advice === 'allowed') throw new Error('there is no advice')
      expect(codeOf(decide({ request: advice, decide: limited }))).toBe('allowed')
    }
  })

  test('leaves out actions that no shorter time would save', () => {
    const decision = decide({
      request: { actions: ['repo.read', 'repo.write'] },
      decide: ({ action, ttlSeconds }) => (action === 'repo.read' && ttlSeconds <= 200 ? yes : no),
    })
    expect(nearestOf(decision)).toEqual(nearest({ ttlSeconds: 120 }))
  })

  test('returns to what the task declared, without parameters that the caller cannot choose', () => {
    const decision = decide({ request: { parameters: { repository: 'payments', tpyo: 1 } } })
    expect([codeOf(decision), nearestOf(decision)]).toEqual(['not_declared', nearest()])
  })

  test('is none where nothing would pass, and none about what the task did not declare', () => {
    expect([
      nearestOf(decide({ decide: () => no })),
      nearestOf(decide({ task: { declarations: [] } })),
      nearestOf(decide({ request: { template: 'gone' } })),
    ]).toEqual([null, null, null])
  })

  test('passes when it is asked', () => {
    const refused = decide({
      request: { actions: ['repo.own', 'repo.write', 'repo.read'], ttlSeconds: 1700 },
      decide: ({ action, ttlSeconds }) => (action === 'repo.read' && ttlSeconds <= 600 ? yes : no),
    })
    const advice = nearestOf(refused)
    if (advice === null || advice === 'allowed') throw new Error('there is no advice')
    expect(codeOf(decide({ request: advice }))).toBe('allowed')
  })

  test('costs a bounded number of questions', () => {
    let asked = 0
    const declarations = Array.from({ length: 50 }, () => task.declarations[0]).filter(
      (each) => each !== undefined,
    )
    decide({
      task: { declarations },
      request: { actions: ['repo.read', 'repo.write'], ttlSeconds: 1200 },
      decide: () => {
        asked += 1
        return no
      },
    })
    expect(asked).toBeLessThan(30)
  })
})

describe('R17 what a task declares', () => {
  const workload = {
    token: {
      issuer: 'ci',
      subject: 's',
      claims: { repository_id: '42' },
      tokenId: 't',
      issuedAt: noon,
      expiresAt: noon,
    },
    agent: {
      kind: 'Agent',
      name: 'web-ci',
      agentKind: 'ci',
      owner: 'alice',
      team: 'web',
      environment: 'development',
      quarantined: false,
      identities: [],
    },
  } as const
  const wanted = { template: 'repo', actions: ['repo.read'], parameters: {} }

  function outcome(...requests: readonly (typeof wanted)[]): unknown {
    try {
      return declare(
        set(() => yes),
        workload,
        requests,
      )
    } catch (error) {
      if (error instanceof MayflyError) return error.code
      throw error
    }
  }

  test('is bound to the claims it was opened with', () => {
    expect(outcome(wanted)).toEqual([
      { template: 'repo', actions: ['repo.read'], parameters: { repositoryId: '42' } },
    ])
  })

  test('must exist, and be something', () => {
    expect([
      outcome(),
      outcome({ ...wanted, template: 'gone' }),
      outcome({ ...wanted, actions: ['repo.own'] }),
      outcome({ ...wanted, actions: [] }),
      outcome({ ...wanted, parameters: { repository: 1 } }),
    ]).toEqual([
      'invalid_request',
      'scope_template_unknown',
      'action_unknown',
      'invalid_request',
      'parameter_invalid',
    ])
  })
})
