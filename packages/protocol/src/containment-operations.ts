import {
  containmentDetailResponse,
  containmentListQuery,
  containmentListResponse,
  containmentQuery,
  containmentResponse,
  containmentSchema,
  containRequest,
  containResponse,
} from './containment.ts'
import {
  createFreezeRequest,
  freezeListQuery,
  freezeListResponse,
  freezeResponse,
  reasonRequest,
} from './freeze.ts'
import type { Operation } from './operation.ts'
import type { ProblemCode } from './problems.ts'

const SELECTOR_PROBLEMS: readonly ProblemCode[] = [
  'role_required',
  'selector_empty',
  'selector_field_unknown',
  'selector_invalid',
  'selector_window_invalid',
  'selector_everything_not_alone',
  'reason_required',
  'freeze_expiry_invalid',
]

const freezeOperations: readonly Operation[] = [
  {
    method: 'post',
    path: '/v1/freezes',
    operationId: 'createFreeze',
    summary: 'Stop issuing what a selector matches, in every broker, at once',
    tokens: ['operatorToken'],
    request: {
      schema: createFreezeRequest,
      example: {
        selector: { organisation: 'acme', permission: 'contents:write' },
        reason: 'a runner may be compromised',
        expiresAt: '2026-11-23T18:00:00Z',
      },
    },
    answer: { status: 201, schema: freezeResponse },
    problems: SELECTOR_PROBLEMS,
  },
  {
    method: 'get',
    path: '/v1/freezes',
    operationId: 'listFreezes',
    summary: 'Find freezes, the newest first',
    tokens: ['operatorToken'],
    query: freezeListQuery,
    answer: { status: 200, schema: freezeListResponse },
    problems: ['role_required'],
  },
  {
    method: 'post',
    path: '/v1/freezes/{freezeId}/lift',
    operationId: 'liftFreeze',
    summary: 'Let mints through again',
    tokens: ['operatorToken'],
    request: { schema: reasonRequest, example: { reason: 'the runner was rebuilt' } },
    answer: { status: 200, schema: freezeResponse },
    problems: ['role_required', 'reason_required', 'freeze_unknown', 'freeze_over'],
  },
]

export const containmentOperations: readonly Operation[] = [
  ...freezeOperations,
  {
    method: 'post',
    path: '/v1/containments',
    operationId: 'contain',
    summary: 'Freeze what a selector matches, then end and revoke it; or say what that would do',
    tokens: ['operatorToken'],
    idempotent: true,
    request: {
      schema: containRequest,
      example: {
        selector: { repository: 'acme/payments' },
        reason: 'token seen in a build log',
        incident: 'INC-42',
        dryRun: true,
      },
    },
    answer: { status: 202, schema: containResponse },
    alsoAnswers: [200],
    problems: [
      ...SELECTOR_PROBLEMS,
      'incident_required',
      'selector_matches_nothing',
      'idempotency_conflict',
    ],
  },
  {
    method: 'get',
    path: '/v1/containments',
    operationId: 'listContainments',
    summary: 'Find containments, the newest first',
    tokens: ['operatorToken'],
    query: containmentListQuery,
    answer: { status: 200, schema: containmentListResponse },
    problems: ['role_required'],
  },
  {
    method: 'get',
    path: '/v1/containments/{containmentId}',
    operationId: 'getContainment',
    summary: 'Where a containment stands, lease by lease',
    tokens: ['operatorToken'],
    query: containmentQuery,
    answer: { status: 200, schema: containmentDetailResponse },
    problems: ['role_required', 'containment_unknown'],
  },
  {
    method: 'get',
    path: '/v1/containments/{containmentId}/events',
    operationId: 'watchContainment',
    summary: 'Follow a containment as server-sent events, until nothing is left to be done',
    tokens: ['operatorToken'],
    answer: { status: 200, schema: containmentSchema, contentType: 'text/event-stream' },
    problems: ['role_required', 'containment_unknown'],
  },
  {
    method: 'post',
    path: '/v1/containments/{containmentId}/cancel',
    operationId: 'cancelContainment',
    summary: 'Lift the freeze and end no more leases; what is ended stays ended',
    tokens: ['operatorToken'],
    request: { schema: reasonRequest, example: { reason: 'false alarm' } },
    answer: { status: 200, schema: containmentResponse },
    problems: ['role_required', 'reason_required', 'containment_unknown', 'containment_finished'],
  },
]
