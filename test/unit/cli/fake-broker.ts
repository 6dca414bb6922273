import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

export const TASK_ID = 'tsk_01JDTASK'

/** A token of the right form that nobody has signed: the fake does not look. */
export const TASK_TOKEN = `x.${Buffer.from(JSON.stringify({ txn: TASK_ID })).toString('base64url')}.x`

export const task = {
  id: TASK_ID,
  agent: 'payments-claude',
  owner: 'ada@acme.example',
  environment: 'development',
  issuer: 'github-actions',
  subject: 'repo:acme/payments',
  intent: { reason: 'fix the build' },
  declarations: [
    { template: 'github', actions: ['repo.read', 'repo.write'], parameters: { repo: 'acme/x' } },
  ],
  openedAt: '2026-11-23T12:00:00.000Z',
  notAfter: '2026-11-23T13:00:00.000Z',
  closedAt: null,
}

export function leaseBody(template: string, id = `lea_${template}`) {
  return {
    id,
    taskId: TASK_ID,
    agent: 'payments-claude',
    template,
    templateVersion: 3,
    provider: PROVIDERS[template] ?? 'github',
    actions: ['repo.read'],
    parameters: {},
    targets: [`${template}:target`],
    state: 'active',
    createdAt: '2026-11-23T12:00:00.000Z',
    expiresAt: '2026-11-23T12:10:00.000Z',
    credentialExpiresAt: '2026-11-23T13:00:00.000Z',
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
}

const PROVIDERS: Readonly<Record<string, string>> = {
  aws: 'aws',
  vault: 'vault',
  database: 'vault',
}

const CREDENTIALS: Readonly<Record<string, object>> = {
  github: { token: 'ghs_canary', username: 'x-access-token' },
  aws: {
    accessKeyId: 'ASIACANARY',
    secretAccessKey: 'aws-canary',
    sessionToken: 'session-canary',
    region: 'eu-west-1',
  },
  vault: { token: 'hvs.canary', address: 'https://vault.test' },
  database: { username: 'v-user', password: "it's a canary" },
}

export interface Call {
  readonly route: string
  readonly authorization: string | undefined
  readonly body: unknown
}

export interface FakeBroker {
  readonly url: string
  readonly calls: Call[]
  /** `METHOD /path` of every call, in order. */
  routes(): readonly string[]
  /** Answers a route with this, from now on or `times` times. */
  answer(route: string, answer: Answer, times?: number): void
  /** Refuses leases of one template. */
  refuseLease(template: string, answer: Answer): void
  /** Resolves when the route has been called. */
  called(route: string): Promise<void>
  stop(): Promise<void>
}

export interface Answer {
  readonly status: number
  readonly body: object
  readonly headers?: Readonly<Record<string, string>>
  /** Never answers, and says so by holding the connection open. */
  readonly hang?: boolean
}

export function problem(code: string, status: number, more: object = {}): Answer {
  const type = `https://mayfly.dev/problems/${code}`
  const body = { type, title: `title of ${code}`, status, code, requestId: 'req_1' }
  return { status, body: { ...body, retryable: false, ...more } }
}

/** A broker that agrees to everything, unless told otherwise. */
export async function startFakeBroker(): Promise<FakeBroker> {
  const calls: Call[] = []
  const answers = new Map<string, { answer: Answer; times: number }>()
  const waiting = new Map<string, () => void>()
  const refusals = new Map<string, Answer>()

  function answerTo(route: string, body: unknown): Answer {
    const refusal = route === 'POST /v1/leases' && refusals.get(templateOf(body))
    if (refusal) return refusal
    const prepared = answers.get(route)
    if (!prepared || prepared.times === 0) return usual(route, body)
    prepared.times -= 1
    return prepared.answer
  }

  async function handle(request: IncomingMessage): Promise<Answer> {
    const sent = await text(request)
    const body: unknown = sent === '' ? null : JSON.parse(sent)
    const route = `${request.method ?? ''} ${request.url ?? ''}`
    calls.push({ route, authorization: request.headers.authorization, body })
    waiting.get(route)?.()
    return answerTo(route, body)
  }

  const server = createServer((request, response) => {
    void handle(request).then(({ status, body, headers = {}, hang }) => {
      if (hang === true) return
      const type = status < 400 ? 'application/json' : 'application/problem+json'
      response.writeHead(status, { 'content-type': type, connection: 'close', ...headers })
      response.end(JSON.stringify(body))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo // not a pipe, and listening
  return {
    url: `http://127.0.0.1:${String(port)}`,
    calls,
    routes: () => calls.map(({ route }) => route),
    answer: (route, answer, times = Infinity) => {
      answers.set(route, { answer, times })
    },
    refuseLease: (template, answer) => {
      refusals.set(template, answer)
    },
    called: (route) =>
      new Promise((resolve) => {
        if (calls.some((call) => call.route === route)) resolve()
        else waiting.set(route, resolve)
      }),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve()
        })
        server.closeAllConnections()
      }),
  }
}

function templateOf(body: unknown): string {
  return (body as { template: string }).template // lease requests have one
}

function usual(route: string, body: unknown): Answer {
  const [method = '', path = ''] = route.split(' ')
  const opened = { task, taskToken: TASK_TOKEN, taskTokenExpiresAt: '2026-11-23T12:15:00.000Z' }
  if (route === 'POST /v1/tasks') return { status: 201, body: opened }
  if (path.endsWith('/token')) return { status: 201, body: opened }
  if (path.endsWith('/close')) return { status: 200, body: { task, leaseIds: ['lea_1'] } }
  if (route === `GET /v1/tasks/${TASK_ID}`) return { status: 200, body: { task } }
  if (route === 'POST /v1/leases') {
    const template = templateOf(body)
    const credential = CREDENTIALS[template] ?? {}
    return { status: 201, body: { lease: leaseBody(template), credential } }
  }
  if (method === 'DELETE') {
    const lease = { ...leaseBody('github', path.split('/').at(-1)), state: 'revoked' }
    return { status: 200, body: { lease } }
  }
  return problem('not_found', 404)
}
