export interface ProblemEntry {
  readonly status: number
  readonly title: string
  /** True when the same call may succeed later without anyone changing anything. */
  readonly retryable: boolean
  /** Stable identity of the problem; the code is its last segment. */
  readonly type: string
  /** What it means and what to do next, for people. */
  readonly doc: string
}

/** Row: status, title, doc. `retry` marks those that pass by themselves. */
function row(
  status: number,
  title: string,
  doc: string,
  retry?: 'retry',
): Omit<ProblemEntry, 'type'> {
  return { status, title, retryable: retry === 'retry', doc }
}

const rows = {
  invalid_request: row(
    400,
    'The request is not valid',
    'Something does not parse, or a field is unknown. `details.issues` names the places.',
  ),
  payload_too_large: row(
    413,
    'The request is too large',
    'Bodies may have 64 KiB; those of policy sets 4 MiB.',
  ),
  unsupported_media_type: row(
    415,
    'The body is not JSON',
    'Send `Content-Type: application/json`, uncompressed and in UTF-8.',
  ),
  not_found: row(404, 'There is no such resource', 'Check the method and the path.'),
  scope_template_unknown: row(
    404,
    'There is no such scope template',
    '`GET /v1/templates` lists those that there are.',
  ),
  action_unknown: row(
    400,
    'The template has no such action',
    'Ask only for actions that the template lists.',
  ),
  parameter_invalid: row(
    400,
    'A parameter is not valid',
    'A parameter is unknown, missing, out of bounds, or bound from the token and not yours to choose.',
  ),
  scope_invalid: row(
    422,
    'The rendered scope is not valid',
    'Template and parameters together make a scope that the provider cannot mint. Tell the owner of the template.',
  ),
  ttl_invalid: row(400, 'The TTL is not valid', 'A TTL is a positive number of whole seconds.'),
  ttl_too_long: row(
    422,
    'The TTL is too long',
    'Ask for no more than the template, the action and the task allow.',
  ),
  policy_set_invalid: row(
    422,
    'The policy set is not valid',
    'Nothing was changed. `details` names each resource and what is wrong with it.',
  ),
  selector_empty: row(
    400,
    'The selector is empty',
    'Name a field, or say `everything: true`. Nothing was frozen and nothing ended.',
  ),
  selector_field_unknown: row(
    400,
    'The selector has an unknown field',
    'A field that is not understood could be the one that narrows it. `details.fields` names it.',
  ),
  selector_invalid: row(
    400,
    'A field of the selector is not valid',
    '`details.issues` names the field and what it must look like.',
  ),
  selector_window_invalid: row(
    400,
    'The window of the selector is empty',
    '`createdAfter` must be before `createdBefore`.',
  ),
  selector_everything_not_alone: row(
    400,
    'The selector says everything, and something else',
    'Remove `everything`, or all other fields.',
  ),
  selector_matches_nothing: row(
    422,
    'No live lease matches the selector',
    'There is nothing to contain, and nothing was frozen. To stop future leases, use a freeze.',
  ),
  reason_required: row(400, 'A reason is needed', 'Say why: it is kept in the audit log.'),
  incident_required: row(
    400,
    'An incident is needed',
    "Name the incident's own id, wherever it is kept.",
  ),
  freeze_expiry_invalid: row(
    422,
    'The freeze would end before it begins',
    'Choose an end in the future, or none.',
  ),
  freeze_unknown: row(
    404,
    'There is no such freeze',
    '`GET /v1/freezes` lists those that there are.',
  ),
  freeze_over: row(
    409,
    'The freeze is over',
    'It was lifted before, or its time is up. Nothing was changed.',
  ),
  containment_unknown: row(
    404,
    'There is no such containment',
    '`GET /v1/containments` lists those that there are.',
  ),
  containment_finished: row(
    409,
    'The containment is finished',
    'All its credentials are dead. To let mints through again, lift its freeze.',
  ),
  unauthenticated: row(
    401,
    'The bearer token is missing or not acceptable',
    'The reason is in the log of the broker, under the request id.',
  ),
  token_replayed: row(
    401,
    'The workload token was used before',
    'One workload token opens or renews one task. Get a fresh one.',
  ),
  agent_unregistered: row(
    403,
    'No registered agent matches the token',
    'A platform team registers agents with an `Agent` resource.',
  ),
  owner_inactive: row(
    403,
    'The accountable owner is not active',
    'Nothing is issued until the agent has an active owner.',
  ),
  role_required: row(
    403,
    'The operator lacks the role',
    'A platform team grants roles with a `RoleBinding` resource.',
  ),
  issuer_unavailable: row(
    503,
    'The keys of the token issuer cannot be fetched',
    'Without them no token can be verified. Try again.',
    'retry',
  ),
  denied: row(403, 'Policy says no', '`explanation` says what failed first, and what would pass.'),
  not_declared: row(
    403,
    'The task did not declare this',
    'A task cannot be widened. Open one that declares what is needed.',
  ),
  claim_missing: row(
    403,
    'The token lacks a claim that the template needs',
    'Use a token of an issuer that sends it.',
  ),
  frozen: row(403, 'Issuing is frozen', 'A responder has stopped issuing for this selection.'),
  limit_reached: row(
    429,
    'A limit of the template is reached',
    'Revoke leases that are no longer needed, or wait.',
    'retry',
  ),
  policy_error: row(
    403,
    'Policy could not be evaluated',
    'An error counts as a denial. Tell the owner of the template.',
  ),
  policy_unavailable: row(
    503,
    'There is no policy in force',
    'Without a valid policy set nothing is issued.',
    'retry',
  ),
  task_unknown: row(
    404,
    'There is no such task',
    'It does not exist, or the token may not know of it.',
  ),
  task_closed: row(409, 'The task is closed', 'Open another one with a fresh workload token.'),
  lease_unknown: row(
    404,
    'There is no such lease',
    'It does not exist, or the token may not know of it.',
  ),
  lease_transition_illegal: row(
    409,
    'The lease is in another state',
    'Somebody was first. Read the lease again.',
  ),
  idempotency_conflict: row(
    409,
    'The idempotency key was used for another request',
    'A key stands for one request. Take a fresh one.',
  ),
  credential_already_delivered: row(
    409,
    'The credential was delivered before',
    'A credential is handed out once. Ask for another with a fresh idempotency key.',
  ),
  rate_limited: row(429, 'Too many requests', 'Wait as long as `Retry-After` says.', 'retry'),
  provider_rejected: row(
    502,
    'The provider refused',
    'Nothing was minted. The connection or the template needs attention.',
  ),
  provider_overbroad: row(
    502,
    'The provider minted more than was asked for',
    'The credential is revoked and was not handed out.',
  ),
  provider_throttled: row(
    503,
    'The provider asks for fewer requests',
    'Wait as long as `Retry-After` says.',
    'retry',
  ),
  provider_unavailable: row(
    503,
    'The provider does not answer',
    'What it may have minted is being revoked. Try again.',
    'retry',
  ),
  database_unavailable: row(
    503,
    'The database does not answer',
    'Nothing is issued that cannot be recorded. Try again.',
    'retry',
  ),
  internal: row(500, 'Something is broken in the broker', 'Report it with the request id.'),
} as const

export type ProblemCode = keyof typeof rows

/** Every problem that the API answers with, as one table: the only place that knows statuses. */
export const PROBLEMS: Readonly<Record<ProblemCode, ProblemEntry>> = Object.freeze(
  Object.fromEntries(
    Object.entries(rows).map(([code, entry]) => [
      code,
      { ...entry, type: `https://mayfly.dev/problems/${code}` },
    ]),
  ) as Record<ProblemCode, ProblemEntry>, // fromEntries forgets the keys
)

export function isProblemCode(code: string): code is ProblemCode {
  return Object.hasOwn(PROBLEMS, code)
}
