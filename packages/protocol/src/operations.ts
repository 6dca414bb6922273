import {
  leaseListQuery,
  leaseListResponse,
  leaseResponse,
  openLeaseRequest,
  openLeaseResponse,
} from './lease.ts'
import { containmentOperations } from './containment-operations.ts'
import type { Operation } from './operation.ts'
import { policyOperations } from './policy-operations.ts'
import { serviceOperations } from './service-operations.ts'
import { signalOperations } from './signal-operations.ts'
import { closeTaskResponse, openTaskRequest, openTaskResponse, taskResponse } from './task.ts'

const example = {
  template: 'github-feature-branch',
  actions: ['repo.write'],
  parameters: { repository: 'acme/payments' },
}

const taskOperations: readonly Operation[] = [
  {
    method: 'post',
    path: '/v1/tasks',
    operationId: 'openTask',
    summary: 'Exchange a workload token for a task and its token',
    tokens: ['workloadToken'],
    idempotent: true,
    request: {
      schema: openTaskRequest,
      example: {
        intent: { reason: 'fix the flaky checkout test', ticket: 'PAY-1234' },
        declarations: [example],
        ttlSeconds: 3600,
      },
    },
    answer: { status: 201, schema: openTaskResponse },
    problems: [
      'token_replayed',
      'denied',
      'owner_inactive',
      'scope_template_unknown',
      'action_unknown',
      'parameter_invalid',
      'ttl_invalid',
      'ttl_too_long',
      'idempotency_conflict',
    ],
  },
  {
    method: 'get',
    path: '/v1/tasks/{taskId}',
    operationId: 'getTask',
    summary: 'Read a task',
    tokens: ['taskToken', 'operatorToken'],
    answer: { status: 200, schema: taskResponse },
    problems: ['task_unknown'],
  },
  {
    method: 'post',
    path: '/v1/tasks/{taskId}/token',
    operationId: 'renewTask',
    summary: 'Go on with a task, against a fresh workload token of the same subject',
    tokens: ['workloadToken'],
    answer: { status: 201, schema: openTaskResponse },
    problems: ['token_replayed', 'denied', 'owner_inactive', 'task_unknown', 'task_closed'],
  },
  {
    method: 'post',
    path: '/v1/tasks/{taskId}/close',
    operationId: 'closeTask',
    summary: 'Close a task and end every lease in it',
    tokens: ['taskToken', 'operatorToken'],
    answer: { status: 200, schema: closeTaskResponse },
    problems: ['role_required', 'task_unknown'],
  },
]

const leaseOperations: readonly Operation[] = [
  {
    method: 'post',
    path: '/v1/leases',
    operationId: 'openLease',
    summary: 'Mint one credential, for one task, for a while',
    tokens: ['taskToken'],
    idempotent: true,
    request: { schema: openLeaseRequest, example: { ...example, ttlSeconds: 600 } },
    answer: { status: 201, schema: openLeaseResponse },
    problems: [
      'denied',
      'not_declared',
      'claim_missing',
      'owner_inactive',
      'frozen',
      'limit_reached',
      'policy_error',
      'scope_template_unknown',
      'action_unknown',
      'parameter_invalid',
      'scope_invalid',
      'ttl_invalid',
      'ttl_too_long',
      'task_closed',
      'idempotency_conflict',
      'credential_already_delivered',
      'provider_rejected',
      'provider_overbroad',
      'provider_throttled',
      'provider_unavailable',
    ],
  },
  {
    method: 'get',
    path: '/v1/leases',
    operationId: 'listLeases',
    summary: 'Find leases; a task token sees those of its task',
    tokens: ['taskToken', 'operatorToken'],
    query: leaseListQuery,
    answer: { status: 200, schema: leaseListResponse },
    problems: [
      'role_required',
      'selector_invalid',
      'selector_window_invalid',
      'selector_everything_not_alone',
    ],
  },
  {
    method: 'get',
    path: '/v1/leases/{leaseId}',
    operationId: 'getLease',
    summary: 'Read a lease',
    tokens: ['taskToken', 'operatorToken'],
    answer: { status: 200, schema: leaseResponse },
    problems: ['lease_unknown'],
  },
  {
    method: 'delete',
    path: '/v1/leases/{leaseId}',
    operationId: 'revokeLease',
    summary: 'Revoke now; the answer says how far that got',
    tokens: ['taskToken', 'operatorToken'],
    answer: { status: 200, schema: leaseResponse },
    problems: ['role_required', 'lease_unknown'],
  },
]

export const OPERATIONS: readonly Operation[] = [
  ...taskOperations,
  ...leaseOperations,
  ...containmentOperations,
  ...signalOperations,
  ...policyOperations,
  ...serviceOperations,
]
