/**
 * Every way Mayfly can refuse or fail, as one closed set.
 *
 * The code is the contract: it appears unchanged in audit events, in `problem+json` bodies and in
 * the CLI. Messages may be reworded; codes may not.
 */
export type ErrorCode =
  // the request does not parse, or names what does not exist
  | 'invalid_request'
  | 'payload_too_large'
  | 'unsupported_media_type'
  | 'not_found'
  | 'scope_template_unknown'
  | 'action_unknown'
  | 'parameter_invalid'
  | 'scope_invalid'
  | 'ttl_invalid'
  | 'ttl_too_long'
  | 'policy_set_invalid'
  // a freeze or a containment does not say what it is about, or why
  | 'selector_empty'
  | 'selector_field_unknown'
  | 'selector_invalid'
  | 'selector_window_invalid'
  | 'selector_everything_not_alone'
  | 'selector_matches_nothing'
  | 'reason_required'
  | 'incident_required'
  | 'freeze_expiry_invalid'
  // who is asking
  | 'unauthenticated'
  | 'token_replayed'
  | 'agent_unregistered'
  | 'owner_inactive'
  | 'role_required'
  | 'issuer_unavailable'
  // the answer is no
  | 'denied'
  | 'not_declared'
  | 'claim_missing'
  | 'frozen'
  | 'limit_reached'
  | 'policy_error'
  | 'policy_unavailable'
  // the state of things
  | 'task_unknown'
  | 'task_closed'
  | 'lease_unknown'
  | 'lease_transition_illegal'
  | 'freeze_unknown'
  | 'freeze_over'
  | 'containment_unknown'
  | 'containment_finished'
  | 'idempotency_conflict'
  | 'credential_already_delivered'
  | 'rate_limited'
  // the world outside
  | 'provider_rejected'
  | 'provider_overbroad'
  | 'provider_throttled'
  | 'provider_unavailable'
  | 'database_unavailable'

export interface MayflyErrorOptions {
  /** True when the same call may succeed later without anyone changing anything. */
  readonly retryable?: boolean
  /** Whole seconds until a retry makes sense, when someone told us. */
  readonly retryAfterSeconds?: number
  /** Safe to show to the caller. Never put credential material here. */
  readonly details?: Readonly<Record<string, unknown>>
  /** For the operator's log. Never leaves the process. */
  readonly cause?: unknown
}

export class MayflyError extends Error {
  override readonly name: string = 'MayflyError'
  readonly code: ErrorCode
  readonly retryable: boolean
  readonly retryAfterSeconds: number | undefined
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, message: string, options: MayflyErrorOptions = {}) {
    super(message, { cause: options.cause })
    this.code = code
    this.retryable = options.retryable ?? false
    this.retryAfterSeconds = options.retryAfterSeconds
    this.details = options.details ?? {}
  }
}
