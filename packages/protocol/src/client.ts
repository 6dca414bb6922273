import type { AuthorizedCall, RepeatableCall } from './authorized-call.ts'
import { containmentCalls, type ContainmentCalls } from './containment-calls.ts'
import { CredentialText } from './credential-text.ts'
import {
  healthResponse,
  readinessResponse,
  type HealthResponse,
  type ReadinessResponse,
} from './health.ts'
import { makeOpenStream, makeSend, type CallOptions } from './http-call.ts'
import { reportLeakResponse, type ReportLeakRequest, type ReportLeakResponse } from './leak.ts'
import {
  leaseListResponse,
  leaseResponse,
  openLeaseResponse,
  type LeaseBody,
  type LeaseList,
  type LeaseQuery,
  type OpenLeaseRequest,
} from './lease.ts'
import {
  applyPolicySetResponse,
  policySetResponse,
  type ApplyPolicySetRequest,
  type ApplyPolicySetResponse,
  type PolicySetBody,
} from './policy-set.ts'
import {
  closeTaskResponse,
  openTaskResponse,
  taskResponse,
  type CloseTaskResponse,
  type OpenTaskRequest,
  type TaskBody,
} from './task.ts'
import { templateListResponse, type TemplateListResponse } from './template.ts'
import { webhookListResponse, type WebhookBody } from './webhook.ts'

export interface ClientOptions {
  readonly baseUrl: URL
  /** Defaults to the global one. */
  readonly fetch?: typeof fetch
  /** For a whole exchange. A mint waits for the provider, so the default is 30 seconds. */
  readonly timeoutMilliseconds?: number
  readonly userAgent?: string
}

export interface OpenedTask {
  readonly task: TaskBody
  readonly taskToken: CredentialText
  readonly taskTokenExpiresAt: string
}

export interface OpenedLease {
  readonly lease: LeaseBody
  readonly credential: Readonly<Record<string, CredentialText>>
}

export interface Client extends ContainmentCalls {
  /** With a workload token. */
  openTask(request: OpenTaskRequest, call: RepeatableCall): Promise<OpenedTask>
  /** With a fresh workload token of the same subject: a new task token for the same task. */
  renewTask(taskId: string, call: AuthorizedCall): Promise<OpenedTask>
  getTask(taskId: string, call: AuthorizedCall): Promise<TaskBody>
  /** Ends every lease in the task. */
  closeTask(taskId: string, call: AuthorizedCall): Promise<CloseTaskResponse>
  openLease(request: OpenLeaseRequest, call: RepeatableCall): Promise<OpenedLease>
  getLease(leaseId: string, call: AuthorizedCall): Promise<LeaseBody>
  /** With an operator token: every lease. With a task token: those of its task. */
  listLeases(query: LeaseQuery, call: AuthorizedCall): Promise<LeaseList>
  /** Revokes now, and answers with the lease as it stands: look at `state` before calling it dead. */
  revokeLease(leaseId: string, call: AuthorizedCall): Promise<LeaseBody>
  /** Ends and revokes whatever lease the credential belongs to, and tells its story. */
  reportLeak(request: ReportLeakRequest, call: AuthorizedCall): Promise<ReportLeakResponse>
  applyPolicySet(
    request: ApplyPolicySetRequest,
    call: AuthorizedCall,
  ): Promise<ApplyPolicySetResponse>
  currentPolicySet(call: AuthorizedCall): Promise<PolicySetBody>
  listTemplates(call: AuthorizedCall): Promise<TemplateListResponse>
  listWebhooks(call: AuthorizedCall): Promise<readonly WebhookBody[]>
  health(call?: CallOptions): Promise<HealthResponse>
  /** Resolves for a broker that says it is not ready, too. */
  readiness(call?: CallOptions): Promise<ReadinessResponse>
}

/**
 * The broker's HTTP API as functions. They throw `ProblemError`, `BrokerUnreachableError` or
 * `UnexpectedAnswerError`, and none of these carries a token or a credential.
 */
export function makeClient(options: ClientOptions): Client {
  const http = {
    baseUrl: options.baseUrl,
    fetch: options.fetch ?? fetch,
    timeoutMilliseconds: options.timeoutMilliseconds ?? 30_000,
    headers: options.userAgent === undefined ? {} : { 'user-agent': options.userAgent },
  }
  const send = makeSend(http)
  return {
    ...taskCalls(send),
    ...leaseCalls(send),
    ...signalCalls(send),
    ...containmentCalls(send, makeOpenStream(http)),
    ...policyCalls(send),
    ...healthCalls(send),
  }
}

type Send = ReturnType<typeof makeSend>

function taskCalls(send: Send): Pick<Client, 'openTask' | 'renewTask' | 'getTask' | 'closeTask'> {
  return {
    async openTask(body, { token, idempotencyKey, ...options }) {
      const answer = openTaskResponse
      const path = '/v1/tasks'
      return opened(
        await send({ method: 'POST', path, body, answer, token, idempotencyKey, options }),
      )
    },
    async renewTask(taskId, { token, ...options }) {
      const path = `/v1/tasks/${encodeURIComponent(taskId)}/token`
      return opened(await send({ method: 'POST', path, answer: openTaskResponse, token, options }))
    },
    async getTask(taskId, { token, ...options }) {
      const path = `/v1/tasks/${encodeURIComponent(taskId)}`
      const { task } = await send({ method: 'GET', path, answer: taskResponse, token, options })
      return task
    },
    closeTask(taskId, { token, ...options }) {
      const path = `/v1/tasks/${encodeURIComponent(taskId)}/close`
      return send({ method: 'POST', path, answer: closeTaskResponse, token, options })
    },
  }
}

function opened(answer: {
  readonly task: TaskBody
  readonly taskToken: string
  readonly taskTokenExpiresAt: string
}): OpenedTask {
  return { ...answer, taskToken: new CredentialText(answer.taskToken) }
}

function leaseCalls(
  send: Send,
): Pick<Client, 'openLease' | 'getLease' | 'listLeases' | 'revokeLease'> {
  return {
    async openLease(body, { token, idempotencyKey, ...options }) {
      const answer = openLeaseResponse
      const path = '/v1/leases'
      const { lease, credential } = await send({
        method: 'POST',
        path,
        body,
        answer,
        token,
        idempotencyKey,
        options,
      })
      return { lease, credential: wrapped(credential) }
    },
    async getLease(leaseId, { token, ...options }) {
      const path = `/v1/leases/${encodeURIComponent(leaseId)}`
      const { lease } = await send({ method: 'GET', path, answer: leaseResponse, token, options })
      return lease
    },
    listLeases(query, { token, ...options }) {
      const [path, answer] = ['/v1/leases', leaseListResponse]
      return send({ method: 'GET', path, query: { ...query }, answer, token, options })
    },
    async revokeLease(leaseId, { token, ...options }) {
      const path = `/v1/leases/${encodeURIComponent(leaseId)}`
      const { lease } = await send({
        method: 'DELETE',
        path,
        answer: leaseResponse,
        token,
        options,
      })
      return lease
    },
  }
}

function wrapped(credential: Readonly<Record<string, string>>): Record<string, CredentialText> {
  return Object.fromEntries(
    Object.entries(credential).map(([name, value]) => [name, new CredentialText(value)]),
  )
}

function signalCalls(send: Send): Pick<Client, 'reportLeak' | 'listWebhooks'> {
  return {
    async listWebhooks({ token, ...options }) {
      const [path, answer] = ['/v1/webhooks', webhookListResponse]
      return (await send({ method: 'GET', path, answer, token, options })).webhooks
    },
    reportLeak(body, { token, ...options }) {
      const answer = reportLeakResponse
      return send({ method: 'POST', path: '/v1/leaks', body, answer, token, options })
    },
  }
}

function policyCalls(
  send: Send,
): Pick<Client, 'applyPolicySet' | 'currentPolicySet' | 'listTemplates'> {
  const sets = '/v1/policy-sets'
  return {
    applyPolicySet(body, { token, ...options }) {
      return send({
        method: 'POST',
        path: sets,
        body,
        answer: applyPolicySetResponse,
        token,
        options,
      })
    },
    async currentPolicySet({ token, ...options }) {
      const path = `${sets}/current`
      const { policySet } = await send({
        method: 'GET',
        path,
        answer: policySetResponse,
        token,
        options,
      })
      return policySet
    },
    listTemplates({ token, ...options }) {
      const answer = templateListResponse
      return send({ method: 'GET', path: '/v1/templates', answer, token, options })
    },
  }
}

function healthCalls(send: Send): Pick<Client, 'health' | 'readiness'> {
  return {
    health(options = {}) {
      return send({ method: 'GET', path: '/healthz', answer: healthResponse, options })
    },
    readiness(options = {}) {
      const statuses = [200, 503]
      return send({ method: 'GET', path: '/readyz', answer: readinessResponse, statuses, options })
    },
  }
}
