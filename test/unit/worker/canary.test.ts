import { Secret, type CredentialProvider, type Death, type Lease } from '@mayfly/core'
import { CredentialText, ProblemError, type LeaseBody } from '@mayfly/protocol'
import { makeMetrics } from '@mayfly/runtime'
import {
  loadCanaryConfig,
  makeCanaryMetrics,
  makeFlyCanary,
  type FlyCanaryDeps,
} from '@mayfly/worker'
import { describe, expect, test } from '@jest/globals'

const noon = new Date('2026-11-23T12:00:00Z')
const errand = {
  template: 'branch',
  actions: ['repo.read'],
  parameters: { repository: 'acme/web' },
}

// Only what the canary looks at.
const lease = { id: 'lea_1', connection: 'github-acme', policySetVersion: 3 } as Lease
const body = (state: LeaseBody['state']): LeaseBody =>
  ({ id: 'lea_1', provider: 'github', state }) as LeaseBody

interface World {
  /** What the provider says each time it is asked. */
  readonly deaths?: readonly boolean[]
  /** What the lease looks like each time it is looked at, from the revocation on. */
  readonly states?: readonly LeaseBody['state'][]
  readonly mint?: () => Promise<never>
  readonly open?: () => Promise<never>
}

/** A broker and a provider that do as they are told, and a diary. */
function world({ deaths = [false, true], states = ['revoked'], mint, open }: World) {
  const diary: string[] = []
  const answers = [...deaths]
  const looks = [...states]
  const token = new CredentialText('task')
  let now = noon
  const seen = (): Promise<LeaseBody> => Promise.resolve(body(looks.shift() ?? 'revoking'))
  const provider = {
    verifyDead: (): Promise<Death> => {
      const dead = answers.shift() ?? false
      diary.push(`probe says ${dead ? 'dead' : 'alive'}`)
      return Promise.resolve(
        dead ? { dead, proof: '401' } : { dead, reason: 'it answers', retryAt: now },
      )
    },
  } as unknown as CredentialProvider // the canary asks nothing else of it
  const deps: FlyCanaryDeps = {
    client: {
      openTask: () => {
        diary.push('open')
        const opened = { task: { id: 'tsk_1' }, taskToken: token, taskTokenExpiresAt: '' }
        return open?.() ?? Promise.resolve(opened as never) // the canary reads these two
      },
      openLease: () => {
        diary.push('mint')
        return mint?.() ?? Promise.resolve({ lease: body('active'), credential: {} })
      },
      revokeLease: () => {
        diary.push('revoke')
        return seen()
      },
      getLease: seen,
      closeTask: () => {
        diary.push('close')
        return Promise.resolve({} as never) // nobody reads it
      },
    },
    token: () => Promise.resolve(new CredentialText('workload')),
    findLease: () => Promise.resolve(lease),
    peekHandle: () => Promise.resolve(new Secret('handle')),
    providers: { get: () => Promise.resolve(provider) },
    clock: { now: () => now },
    pause: (milliseconds) => {
      now = new Date(now.getTime() + milliseconds)
      return Promise.resolve()
    },
    deadlineSeconds: 10,
    providerSignal: () => AbortSignal.timeout(1_000),
  }
  return { diary, fly: () => makeFlyCanary(deps)([errand]) }
}

describe('a canary', () => {
  test('sees a credential work, and then not, and leaves nothing behind', async () => {
    const { diary, fly } = world({ states: ['revoking', 'revoking', 'revoked'] })
    const [flight] = await fly()
    expect(flight).toMatchObject({ template: 'branch', provider: 'github', failed: null })
    expect([...(flight?.seconds.keys() ?? [])]).toEqual(['mint', 'use', 'revoke', 'probe'])
    expect(diary).toEqual([
      'open',
      'mint',
      'probe says alive',
      'revoke',
      'probe says dead',
      'close',
    ])
  })

  test.each([
    ['use', 'dead_while_live', { deaths: [true] }],
    ['revoke', 'not_revoked', { states: [] }],
    ['probe', 'alive_after_death', { deaths: [false, false] }],
    ['mint', 'unreachable', { mint: () => Promise.reject(new Error('socket')) }],
    ['mint', 'frozen', { mint: () => Promise.reject(problem('frozen')) }],
  ] as const)('fails at %s with %s, and closes its task', async (stage, code, told) => {
    const { diary, fly } = world(told)
    const [flight] = await fly()
    expect(flight?.failed).toMatchObject({ stage, code })
    expect(diary.at(-1)).toBe('close')
  })

  test('that gets no task has failed for every errand', async () => {
    const { diary, fly } = world({ open: () => Promise.reject(problem('token_replayed')) })
    expect(await fly()).toMatchObject([
      { template: 'branch', provider: null, failed: { stage: 'open', code: 'token_replayed' } },
    ])
    expect(diary).toEqual(['open'])
  })
})

function problem(code: 'frozen' | 'token_replayed'): ProblemError {
  const known = { type: 'about:blank', title: code, status: 403, requestId: 'req_1' }
  return new ProblemError({ ...known, code, retryable: false }, undefined)
}

describe('what the canary tells', () => {
  async function told(...flights: Parameters<ReturnType<typeof makeCanaryMetrics>>[0][]) {
    const metrics = makeMetrics()
    const tell = makeCanaryMetrics(metrics, () => noon)
    for (const flight of flights) tell(flight)
    const { text } = await metrics.render()
    return text.split('\n').filter((line) => /^mayfly_canary_(up|last|failures)/.test(line))
  }
  const good = { template: 'branch', provider: 'github', seconds: new Map(), failed: null } as const
  const bad = {
    ...good,
    failed: { stage: 'revoke', code: 'not_revoked', error: new Error('x') },
  } as const

  test('a flight that went well is up, with its instant', async () => {
    expect(await told(good)).toEqual([
      'mayfly_canary_up{template="branch",provider="github"} 1',
      `mayfly_canary_last_success_timestamp_seconds{template="branch",provider="github"} ${String(noon.getTime() / 1000)}`,
    ])
  })

  test('one that failed is down, and remembers when it last was not', async () => {
    expect(await told(good, bad)).toEqual([
      'mayfly_canary_failures_total{template="branch",provider="github",stage="revoke",code="not_revoked"} 1',
      'mayfly_canary_up{template="branch",provider="github"} 0',
      `mayfly_canary_last_success_timestamp_seconds{template="branch",provider="github"} ${String(noon.getTime() / 1000)}`,
    ])
  })
})

describe('the configuration of the canary', () => {
  test('is off unless it is told what to ask for', () => {
    expect(loadCanaryConfig({})).toBeNull()
  })

  test('needs a token and a broker', () => {
    expect(() => loadCanaryConfig({ CANARY_LEASES: JSON.stringify([errand]) })).toThrow(
      'needs CANARY_TOKEN_PATH',
    )
  })

  test('takes every variable', () => {
    expect(
      loadCanaryConfig({
        CANARY_LEASES: JSON.stringify([errand]),
        CANARY_TOKEN_PATH: '/run/token',
        CANARY_BROKER_URL: 'https://mayfly.acme.example',
        CANARY_INTERVAL_SECONDS: '60',
        CANARY_DEADLINE_SECONDS: '30',
      }),
    ).toEqual({
      errands: [errand],
      tokenPath: '/run/token',
      brokerUrl: new URL('https://mayfly.acme.example'),
      intervalSeconds: 60,
      deadlineSeconds: 30,
    })
  })

  test('does not take leases that it cannot read, and prints none of them', () => {
    const read = () => loadCanaryConfig({ CANARY_LEASES: '[{"template":"x","surprise":1}]' })
    expect(read).toThrow('CANARY_LEASES: must be a JSON array')
    expect(read).not.toThrow('surprise')
  })
})
