export { attenuate } from './attenuate.ts'
export { AUDIT_EVENTS, type AuditEventType } from './audit-events.ts'
export type * from './audit-log.ts'
export { makeBatches, type BatchOptions } from './batches.ts'
export type * from './claim.ts'
export type * from './clock.ts'
export { clockFrom } from './clock-from.ts'
export { makeCloseTask, type CloseTask } from './close-task.ts'
export {
  makeContain,
  makeEndContained,
  makeResumeContainments,
  type Contain,
  type EndContained,
} from './contain.ts'
export type * from './containment.ts'
export { decideLease, type DecideLeaseInput } from './decide-lease.ts'
export {
  denial,
  type Allowed,
  type Decision,
  type Denied,
  type Explanation,
  type LeaseRequest,
  type NearestRequest,
} from './decision.ts'
export { declare } from './declare.ts'
export {
  makeDeliverWebhook,
  type ClaimedWebhook,
  type DeliverWebhook,
  type OutboxPosition,
  type SendWebhook,
  type WebhookEvent,
  type WebhookNote,
  type WebhookOutbox,
} from './deliver-webhook.ts'
export type * from './denied-sessions.ts'
export { makeEndLease, type EndLease } from './end-lease.ts'
export { MayflyError, type ErrorCode, type MayflyErrorOptions } from './errors.ts'
export { eventFacts } from './event-facts.ts'
export { fingerprintOf } from './fingerprint.ts'
export type * from './freeze.ts'
export type * from './idempotency.ts'
export { subjectOf, type Operator, type VerifiedToken, type Workload } from './identity.ts'
export { makeIssueLease, type IssueLease, type IssuedLease } from './issue-lease.ts'
export type * from './json.ts'
export {
  assertTransition,
  isTerminal,
  LEASE_TRANSITIONS,
  mayBeLive,
  statesBefore,
  type EndReason,
  type Irrevocable,
  type Lease,
  type LeaseState,
} from './lease.ts'
export type * from './lease-store.ts'
export { didYouMean } from './nearest-names.ts'
export type * from './new-id.ts'
export { makeOpenTask, type DeclarationRequest, type OpenTask } from './open-task.ts'
export type * from './policy-set.ts'
export {
  makePreviewContainment,
  type ContainmentPreview,
  type PreviewContainment,
} from './preview-containment.ts'
export {
  MintError,
  UnacceptableMintError,
  type Credential,
  type CredentialProvider,
  type Death,
  type Minted,
  type MintRequest,
  type Prepared,
  type ProviderName,
  type RevocationHandle,
  type RevocationSent,
} from './provider.ts'
export type * from './providers.ts'
export {
  makeReceiveSecurityEvent,
  type ReceiveSecurityEvent,
  type SecurityEventStore,
  type SecurityOutcome,
} from './receive-security-event.ts'
export { renderScope } from './render-scope.ts'
export type { Report } from './report.ts'
export {
  makeReportLeak,
  type LeakedLease,
  type LeaseHistory,
  type LeaseStory,
  type ReportLeak,
} from './report-leak.ts'
export type * from './resources.ts'
export { retryAt, type RetryPolicy } from './retry.ts'
export type * from './revocation-queue.ts'
export {
  makeRevokeClaimed,
  makeRevokeLease,
  type RevocationOutcome,
  type RevokeClaimed,
  type RevokeLease,
} from './revoke-lease.ts'
export { Secret } from './secret.ts'
export type { SecurityEvent, SecurityOccurrence, SecuritySubject } from './security-event.ts'
export { normaliseSelector, type Selector } from './selector.ts'
export { makeSweep, type Sweep, type SweepResult } from './sweep.ts'
export type * from './task.ts'
export type * from './task-store.ts'
export {
  brokenPlaceholdersIn,
  fillText,
  placeholdersIn,
  type ParameterValue,
  type ParameterValues,
} from './template.ts'
export type * from './webhook-state.ts'
