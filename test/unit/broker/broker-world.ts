import { once } from 'node:events'
import { createServer, type Server } from 'node:http'

import {
  MayflyError,
  Secret,
  type Idempotency,
  type Lease,
  type LeaseFilter,
  type OperatorRole,
  type PolicySet,
  type Task,
} from '@mayfly/core'
import { makeApp, makeBrokerMetrics, type AppDeps } from '@mayfly/broker'
import { IdentityRefusal } from '@mayfly/identity'
import { makeOpenApi } from '@mayfly/protocol'
import { makeIds, makeLogger, makeReport } from '@mayfly/runtime'

import { makeIncidentFakes, securityEvent } from './incident-fakes.ts'

export const noon = new Date('2026-11-23T12:00:00.000Z')
export const later = new Date('2026-11-23T12:10:00.000Z')
export const canary = `ghs_${'canary'.repeat(8)}`

export const task: Task = {
  id: 'tsk_1',
  agent: 'codex',
  owner: 'dana@acme.example',
  environment: 'development',
  issuer: 'github-actions',
  subject: 'repo:acme/payments',
  claims: { repository: 'claim-canary' },
  intent: { reason: 'fix' },
  declarations: [{ template: 'branch', actions: ['repo.write'], parameters: {} }],
  openedAt: noon,
  notAfter: later,
  closedAt: null,
}

export const lease: Lease = {
  id: 'lea_1',
  taskId: 'tsk_1',
  agent: 'codex',
  owner: 'dana@acme.example',
  environment: 'development',
  subject: 'github-actions#repo:acme/payments',
  provider: 'github',
  connection: 'github-acme',
  template: 'branch',
  templateVersion: 2,
  policySetVersion: 3,
  decisionId: 'dec_1',
  actions: ['repo.write'],
  parameters: { repository: 'acme/payments' },
  scope: { scope: 'canary' },
  targets: ['github:repo:acme/payments'],
  requestedTtlSeconds: 600,
  state: 'active',
  createdAt: noon,
  expiresAt: later,
  credentialExpiresAt: later,
  deliveredAt: null,
  endedAt: null,
  endReason: null,
  revokedAt: null,
  revocationProof: null,
  revocationAttempts: 0,
  revocationNote: null,
  irrevocable: null,
}

const agent = {
  kind: 'Agent',
  name: 'codex',
  agentKind: 'ci',
  owner: 'dana@acme.example',
  team: 'payments',
  environment: 'development',
  quarantined: false,
  identities: [],
} as const

const workload = {
  agent,
  token: {
    issuer: 'github-actions',
    subject: 'repo:acme/payments',
    claims: {},
    tokenId: 'jti',
    issuedAt: noon,
    expiresAt: later,
  },
}

export const policySet: PolicySet = {
  version: 3,
  digest: 'abc',
  resources: [{ kind: 'Owner', name: 'dana@acme.example', active: true }],
  issuers: [],
  agents: [agent],
  owners: new Map(),
  connections: new Map(),
  roleBindings: [],
  templates: new Map(
    (['development', 'production'] as const).map((environment) => [
      environment,
      {
        version: 2,
        template: {
          kind: 'ScopeTemplate',
          name: environment,
          owner: 'dana@acme.example',
          reviewBy: later,
          environment,
          risk: 'low',
          provider: 'github',
          connection: 'github-acme',
          parameters: { ref: { type: 'string', enum: ['main'] } },
          claims: [],
          actions: { 'repo.write': { fragment: { secret: 'fragment-canary' }, maxTtlSeconds: 60 } },
          resource: { type: 'Repo', id: 'x' },
          fragment: {},
          ttl: { defaultSeconds: 600, maxSeconds: 1800 },
          limits: {},
          policy: 'policy-canary',
          tests: [],
        },
        bind: () => ({}),
        decide: () => ({ allowed: false, code: 'denied', rule: null, reason: null }),
      },
    ]),
  ),
}

const refused = (reason: ConstructorParameters<typeof IdentityRefusal>[0]): MayflyError =>
  new MayflyError('unauthenticated', 'the token was not accepted', {
    cause: new IdentityRefusal(reason),
  })

export interface BrokerWorld {
  readonly app: ReturnType<typeof makeApp>
  /** Listens on loopback until the test file is over. */
  readonly server: Server
  readonly diary: string[]
  /** Everything that was logged, as it was written. */
  readonly log: () => string
  readonly lines: () => Record<string, unknown>[]
  readonly idempotency: (Idempotency | null)[]
  readonly filters: LeaseFilter[]
}

/**
 * The HTTP side with nothing behind it. Tokens say what they are: `workload`, `task_tsk_1`,
 * `operator_platform`. Whatever was asked of the inside is in the diary.
 */
export async function brokerWorld(overrides: Partial<AppDeps> = {}): Promise<BrokerWorld> {
  const diary: string[] = []
  const written: string[] = []
  const idempotency: (Idempotency | null)[] = []
  const filters: LeaseFilter[] = []
  const logger = makeLogger({
    name: 'broker',
    level: 'debug',
    destination: { write: (line) => void written.push(line) },
  })
  const note = (entry: string): void => void diary.push(entry)

  const app = makeApp({
    logger,
    report: makeReport(logger),
    metrics: makeBrokerMetrics(),
    newRequestId: () => makeIds()('req'),
    trustProxy: false,
    requestsPerMinute: 10_000,
    requestsPerMinutePerCaller: 10_000,
    openApi: makeOpenApi({ serverUrl: 'https://broker.example', version: '0' }),
    checks: () => Promise.resolve({ database: 'ok', policySet: 'ok' }),
    policies: { current: () => policySet },
    verifiers: {
      workload: (token) =>
        token.startsWith('workload')
          ? Promise.resolve({ kind: 'workload', workload })
          : Promise.reject(refused('class_wrong')),
      task: (token) =>
        token.startsWith('task_')
          ? Promise.resolve({ kind: 'task', taskId: token.slice(5), agent: 'codex' })
          : Promise.reject(refused('type_not_accepted')),
      operator: (token) => {
        const [kind, ...roles] = token.split('_')
        return kind === 'operator'
          ? Promise.resolve({
              kind: 'operator',
              operator: { issuer: 'people', subject: 'dana', roles: roles as OperatorRole[] },
            })
          : Promise.reject(refused('signature_invalid'))
      },
    },
    refused: ({ code }) => {
      note(`audit refusal ${code}`)
    },
    openTask: (input) => {
      note(`open task for ${input.workload.agent.name}`)
      idempotency.push(input.idempotency)
      return Promise.resolve(task)
    },
    closeTask: (taskId, reason) => {
      note(`close ${taskId} by ${reason}`)
      return Promise.resolve({ task: { ...task, closedAt: later }, leaseIds: ['lea_1'] })
    },
    tasks: {
      find: (id) => Promise.resolve(id === task.id ? task : null),
      renew: (id) => {
        note(`renew ${id}`)
        return Promise.resolve(task)
      },
    },
    taskTokens: {
      issue: () => Promise.resolve({ token: new Secret('task.token.canary'), expiresAt: later }),
      jwks: () => Promise.resolve({ keys: [] }),
    },
    issueLease: (input) => {
      note(`issue ${input.request.template}`)
      idempotency.push(input.idempotency)
      return Promise.resolve({ lease, credential: { token: new Secret(canary), user: 'x' } })
    },
    endLease: (id, reason) => {
      note(`end ${id}: ${reason}`)
      return Promise.resolve({ ...lease, state: 'revoking', endedAt: noon, endReason: reason })
    },
    leases: {
      find: (id) => Promise.resolve(id === lease.id ? lease : null),
      list: (filter) => {
        filters.push(filter)
        return Promise.resolve([lease])
      },
      delivered: (id) => {
        note(`delivered ${id}`)
      },
    },
    reportLeak: ({ reporter }) => {
      note(`leak reported by ${reporter}`)
      return Promise.resolve([])
    },
    securityEvents: {
      verify: (token) =>
        token === 'security.event.token'
          ? Promise.resolve(securityEvent)
          : Promise.reject(refused('token_malformed')),
    },
    receiveSecurityEvent: ({ jti }) => {
      note(`security event ${jti}`)
      return Promise.resolve('applied')
    },
    revocationSignal: () => AbortSignal.timeout(1000),
    ...makeIncidentFakes(note),
    webhookStates: { of: () => Promise.resolve([]) },
    applyPolicySet: ({ documents, operator, dryRun }) => {
      note(`apply ${String(documents.length)} by ${operator.subject}${dryRun ? ' (dry)' : ''}`)
      return Promise.resolve({ applied: !dryRun, policySet })
    },
    ...overrides,
  })

  const server = createServer(app)
  server.listen(0, '127.0.0.1').unref()
  await once(server, 'listening')
  return {
    app,
    server,
    diary,
    idempotency,
    filters,
    log: () => written.join(''),
    lines: () => written.map((line) => JSON.parse(line) as Record<string, unknown>),
  }
}

export const bearer = (token: string): { authorization: string } => ({
  authorization: `Bearer ${token}`,
})

export const leaseRequest = {
  template: 'branch',
  actions: ['repo.write'],
  parameters: { repository: 'acme/payments' },
}
export const taskRequest = { intent: { reason: 'fix' }, declarations: [leaseRequest] }
