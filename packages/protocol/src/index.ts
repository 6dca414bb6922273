export { type AuthorizedCall, type RepeatableCall } from './authorized-call.ts'
export { BrokerUnreachableError, ProblemError, UnexpectedAnswerError } from './client-errors.ts'
export {
  makeClient,
  type Client,
  type ClientOptions,
  type OpenedLease,
  type OpenedTask,
} from './client.ts'
export {
  containmentListQuery,
  containmentQuery,
  containRequest,
  type ContainedLeaseBody,
  type ContainedState,
  type ContainmentBody,
  type ContainmentDetail,
  type ContainRequest,
  type PreviewBody,
} from './containment.ts'
export { CredentialText } from './credential-text.ts'
export { leaseId, taskId } from './fields.ts'
export {
  createFreezeRequest,
  freezeListQuery,
  reasonRequest,
  type CreateFreezeRequest,
  type FreezeBody,
} from './freeze.ts'
export { type HealthResponse, type ReadinessResponse } from './health.ts'
export { type CallOptions } from './http-call.ts'
export {
  LEAK_MAX_LENGTH,
  reportLeakRequest,
  type LeakedLeaseBody,
  type ReportLeakRequest,
  type ReportLeakResponse,
} from './leak.ts'
export {
  leaseListQuery,
  openLeaseRequest,
  type LeaseBody,
  type LeaseList,
  type LeaseQuery,
  type OpenLeaseRequest,
} from './lease.ts'
export { makeOpenApi, type OpenApiDocument, type OpenApiOptions } from './openapi.ts'
export { type Operation, type TokenKind } from './operation.ts'
export { OPERATIONS } from './operations.ts'
export {
  applyPolicySetRequest,
  type ApplyPolicySetRequest,
  type ApplyPolicySetResponse,
  type PolicySetBody,
} from './policy-set.ts'
export { explanationSchema, problemSchema, type Problem } from './problem.ts'
export { isProblemCode, PROBLEMS, type ProblemCode, type ProblemEntry } from './problems.ts'
export {
  openTaskRequest,
  type CloseTaskResponse,
  type OpenTaskRequest,
  type TaskBody,
} from './task.ts'
export { type TemplateBody, type TemplateListResponse } from './template.ts'
export { type DeliveryError } from './security-event.ts'
export { selectorSchema, type SelectorBody } from './selector.ts'
export { type WebhookBody } from './webhook.ts'
