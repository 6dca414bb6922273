import { inspect } from 'node:util'

import { describe, expect, test } from '@jest/globals'
import {
  BrokerUnreachableError,
  CredentialText,
  makeClient,
  ProblemError,
  UnexpectedAnswerError,
  type Client,
} from '@mayfly/protocol'

const canary = 'ghs_canaryCanaryCanaryCanaryCanaryCanary00'
const token = new CredentialText('workload-token-canary')
const instant = '2026-11-23T12:00:00.000Z'

const task = {
  id: 'tsk_01JD0000000000000000000000',
  agent: 'codex',
  owner: 'dana@acme.example',
  environment: 'development',
  issuer: 'github-actions',
  subject: 'repo:acme/payments',
  intent: { reason: 'fix' },
  declarations: [{ template: 't', actions: ['repo.read'], parameters: { repository: 'a/b' } }],
  openedAt: instant,
  notAfter: instant,
  closedAt: null,
}
const lease = {
  id: 'lea_01JD0000000000000000000000',
  taskId: task.id,
  agent: 'codex',
  template: 't',
  templateVersion: 1,
  provider: 'github',
  actions: ['repo.read'],
  parameters: { repository: 'a/b' },
  targets: ['github:repo:a/b'],
  state: 'active',
  createdAt: instant,
  expiresAt: instant,
  credentialExpiresAt: instant,
  requestedTtlSeconds: 600,
  deliveredAt: null,
  endedAt: null,
  endReason: null,
  revokedAt: null,
  revocationProof: null,
  revocationAttempts: 0,
  revocationNote: null,
  irrevocable: null,
}
const problem = {
  type: 'https://mayfly.dev/problems/denied',
  title: 'Policy says no',
  status: 403,
  code: 'denied',
  requestId: 'req_1',
  retryable: false,
  detail: 'no policy permits repo.write',
}

interface Sent {
  method: string
  url: string
  headers: Record<string, string>
  body: unknown
}

/** A client whose broker is one function: it remembers what was sent and answers as told. */
function clientOf(answer: (sent: Sent) => Response | Promise<Response>): {
  client: Client
  sent: Sent[]
} {
  const sent: Sent[] = []
  const client = makeClient({
    baseUrl: new URL('https://broker.example/mayfly/'),
    userAgent: 'mayfly-cli/1',
    async fetch(input, init) {
      const request = new Request(input, init)
      const text = await request.text()
      const entry = {
        method: request.method,
        url: request.url,
        headers: Object.fromEntries(request.headers),
        body: text === '' ? null : (JSON.parse(text) as unknown),
      }
      sent.push(entry)
      return answer(entry)
    },
  })
  return { client, sent }
}

const json = (body: unknown, status = 200, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify(body), { status, headers })

describe('the client', () => {
  test('opens a lease: bearer, idempotency key and body go out, a wrapped credential comes in', async () => {
    const { client, sent } = clientOf(() => json({ lease, credential: { token: canary } }, 201))
    const request = { template: 't', actions: ['repo.read'], parameters: {}, ttlSeconds: 600 }
    const opened = await client.openLease(request, {
      token,
      idempotencyKey: 'key-1',
      requestId: 'req_mine',
    })

    expect(sent).toEqual([
      {
        method: 'POST',
        url: 'https://broker.example/mayfly/v1/leases',
        headers: {
          accept: 'application/json, application/problem+json',
          authorization: 'Bearer workload-token-canary',
          'content-type': 'application/json',
          'idempotency-key': 'key-1',
          'user-agent': 'mayfly-cli/1',
          'x-request-id': 'req_mine',
        },
        body: request,
      },
    ])
    expect(opened.lease).toEqual(lease)
    expect(opened.credential['token']?.reveal()).toBe(canary)
    expect(inspect(opened, { depth: 9 }) + JSON.stringify(opened)).not.toContain(canary)
  })

  test('opens and renews a task; the task token does not print', async () => {
    const answer = { task, taskToken: canary, taskTokenExpiresAt: instant }
    const { client, sent } = clientOf(() => json(answer, 201))
    const opened = await client.openTask(
      { intent: { reason: 'fix' }, declarations: task.declarations },
      { token },
    )
    const renewed = await client.renewTask(task.id, { token })

    expect(opened.task).toEqual(task)
    expect(opened.taskToken.reveal()).toBe(canary)
    expect(String(opened.taskToken) + inspect(renewed)).not.toContain(canary)
    expect(sent.map(({ method, url }) => `${method} ${new URL(url).pathname}`)).toEqual([
      'POST /mayfly/v1/tasks',
      `POST /mayfly/v1/tasks/${task.id}/token`,
    ])
    expect(sent[1]?.body).toBeNull()
  })

  test('each other call goes to its route and hands back what is inside the answer', async () => {
    const set = { version: 3, digest: 'ab', resources: [{ kind: 'Owner', name: 'dana' }] }
    const answers: Record<string, unknown> = {
      [`GET /v1/tasks/${task.id}`]: { task },
      [`POST /v1/tasks/${task.id}/close`]: { task, leaseIds: [lease.id] },
      [`GET /v1/leases/${lease.id}`]: { lease },
      [`DELETE /v1/leases/${lease.id}`]: { lease },
      'GET /v1/leases?live=true&target=github%3Arepo%3Aa%2Fb&limit=5': {
        leases: [lease],
        truncated: false,
      },
      'POST /v1/policy-sets': { applied: true, policySet: set },
      'GET /v1/policy-sets/current': { policySet: set },
      'GET /v1/templates': { policySetVersion: 3, templates: [] },
      'GET /healthz': { status: 'ok' },
    }
    const { client, sent } = clientOf(({ method, url }) => {
      const { pathname, search } = new URL(url)
      return json(answers[`${method} ${pathname.replace('/mayfly', '')}${search}`])
    })
    const call = { token }

    expect(await client.getTask(task.id, call)).toEqual(task)
    expect(await client.closeTask(task.id, call)).toEqual({ task, leaseIds: [lease.id] })
    expect(await client.getLease(lease.id, call)).toEqual(lease)
    expect(await client.revokeLease(lease.id, call)).toEqual(lease)
    expect(
      await client.listLeases({ live: true, target: 'github:repo:a/b', limit: 5 }, call),
    ).toEqual({ leases: [lease], truncated: false })
    expect(await client.applyPolicySet({ resources: [{}] }, call)).toEqual({
      applied: true,
      policySet: set,
    })
    expect(await client.currentPolicySet(call)).toEqual(set)
    expect(await client.listTemplates(call)).toEqual({ policySetVersion: 3, templates: [] })
    expect(await client.health()).toEqual({ status: 'ok' })
    expect(sent.at(-1)?.headers['authorization']).toBeUndefined()
  })

  test('an id cannot leave its place in the path', async () => {
    const { client, sent } = clientOf(() => json(problem, 403))
    await expect(client.getLease('../policy-sets?x#', { token })).rejects.toThrow(ProblemError)
    expect(sent[0]?.url).toBe('https://broker.example/mayfly/v1/leases/..%2Fpolicy-sets%3Fx%23')
  })

  test('a broker that is not ready is an answer, not a failure', async () => {
    const body = { status: 'not_ready', checks: { database: 'failing', policySet: 'ok' } }
    const { client } = clientOf(() => json(body, 503))
    expect(await client.readiness()).toEqual(body)
  })

  test('a refusal becomes a ProblemError with the problem and the time to wait', async () => {
    const { client } = clientOf(() => json(problem, 403, { 'retry-after': '7' }))
    const error: unknown = await client
      .openLease({ template: 't', actions: ['a'], parameters: {} }, { token })
      .catch((refusal: unknown) => refusal)
    expect(error).toBeInstanceOf(ProblemError)
    expect(error).toMatchObject({ problem, retryAfterSeconds: 7, message: problem.detail })
  })

  test('a broker that cannot be reached is told from one that refuses', async () => {
    const { client } = clientOf(() => {
      throw new TypeError('fetch failed')
    })
    const error: unknown = await client.health().catch((failure: unknown) => failure)
    expect(error).toBeInstanceOf(BrokerUnreachableError)
    expect(error).toMatchObject({ timedOut: false })
  })

  test('a broker that takes too long is given up', async () => {
    const client = makeClient({
      baseUrl: new URL('https://broker.example'),
      timeoutMilliseconds: 5,
      fetch: (_url, init) =>
        new Promise((_resolve, reject) => {
          init?.signal?.addEventListener('abort', () => {
            reject(init.signal?.reason as Error)
          })
        }),
    })
    const error: unknown = await client.health().catch((failure: unknown) => failure)
    expect(error).toBeInstanceOf(BrokerUnreachableError)
    expect(error).toMatchObject({ timedOut: true })
  })

  test('R29 no answer that fails to parse gives its text away', async () => {
    const bodies = [
      `{"lease": "${canary}"}`,
      `oops ${canary}`,
      JSON.stringify({ lease: { ...lease, state: canary }, credential: { token: canary } }),
    ]
    for (const body of bodies) {
      for (const status of [201, 500]) {
        const { client } = clientOf(() => new Response(body, { status }))
        const error: unknown = await client
          .openLease({ template: 't', actions: ['a'], parameters: {} }, { token })
          .catch((failure: unknown) => failure)
        expect(error).toBeInstanceOf(UnexpectedAnswerError)
        const printed = inspect(error, { depth: 9, showHidden: true }) + JSON.stringify(error)
        expect(printed).not.toContain(canary)
        expect(printed).not.toContain('workload-token-canary')
      }
    }
  })
})
