import { invalid } from './scope-error.ts'

/**
 * Actions whose result works on its own clock, out of reach of a Deny on the session: ECR
 * and CodeArtifact tokens (up to 12 hours), database tokens, tokens and sessions from STS, and
 * whatever IAM can change. A presigned URL is not among them: it is authorised when it is used.
 */
const SERVICES = ['iam', 'sts', 'signin']
const ACTIONS = [
  'ecr:GetAuthorizationToken',
  'ecr-public:GetAuthorizationToken',
  'codeartifact:GetAuthorizationToken',
  'rds-db:connect',
]
/** With either of these a session could lift its own Deny. */
const NEVER = ['iam:PutRolePolicy', 'iam:DeleteRolePolicy']
/** Flagged actions for which IAM accepts no resource but `*`. */
const RESOURCELESS = [
  'ecr:GetAuthorizationToken',
  'ecr-public:GetAuthorizationToken',
  'sts:GetServiceBearerToken',
]

/** Throws `scope_invalid` for actions that could outlive the lease, unless the template accepts it. */
export function checkDerivatives(actions: readonly string[], allowNonRevocable: boolean): void {
  const never = actions.find((action) => NEVER.some((name) => covers(action, name)))
  if (never !== undefined)
    throw invalid(`${never} would let a session lift its own revocation`, 'lifts_revocation')
  const flagged = actions.find(isFlagged)
  if (flagged !== undefined && !allowNonRevocable)
    throw invalid(
      `${flagged} yields access that no revocation ends; the template must say allowNonRevocable: true`,
      'non_revocable',
    )
}

/** The same refusals for what managed policies may allow, as actions of a Deny. */
export function forbiddenDerivatives(allowNonRevocable: boolean): readonly string[] {
  return allowNonRevocable ? NEVER : [...SERVICES.map((service) => `${service}:*`), ...ACTIONS]
}

export function isResourceless(action: string): boolean {
  return RESOURCELESS.includes(action)
}

/** Whether an action lets STS make a bearer token, which CodeArtifact hands out. */
export function yieldsBearerToken(action: string): boolean {
  return covers(action, 'sts:GetServiceBearerToken')
}

function isFlagged(action: string): boolean {
  const [service = ''] = action.split(':')
  return SERVICES.includes(service) || ACTIONS.some((name) => covers(action, name))
}

/** Whether an action pattern matches a name. IAM ignores case. */
function covers(pattern: string, name: string): boolean {
  const source = pattern.replace(/\*+/g, '.*').replace(/\?/g, '.')
  return new RegExp(`^(?:${source})$`, 'i').test(name)
}
