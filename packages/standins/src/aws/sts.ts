import { randomBytes } from 'node:crypto'

import { randomId, type Account, type Role, type Session } from './account.ts'
import { readAssumeRole, type AssumeRoleRequest } from './assume-role-request.ts'
import { isAllowed, isDenied, isGranted, type Access } from './authorize.ts'
import { AwsError } from './aws-error.ts'
import type { Caller } from './caller.ts'
import type { RequestContext } from './conditions.ts'
import { parsePolicy, type Statement } from './policy-document.ts'
import type { XmlNode } from './xml.ts'

/** `AssumeRole`: mints a session, or throws what STS answers. */
export function assumeRole(account: Account, caller: Caller, params: URLSearchParams): XmlNode {
  const request = readAssumeRole(params)
  const role = account.roles.get(request.roleArn)
  if (!role) throw denied(caller, 'sts:AssumeRole', request.roleArn)
  authorize(account, caller, { role, request })
  checkDuration(caller, role, request.durationSeconds)
  const session = mint(account, { role, request, statements: sessionStatements(account, request) })
  account.sessions.set(session.accessKeyId, session)
  return {
    Credentials: {
      AccessKeyId: session.accessKeyId,
      SecretAccessKey: session.secretAccessKey,
      SessionToken: session.sessionToken,
      Expiration: session.expiresAt.toISOString().replace(/\.\d{3}Z$/, 'Z'),
    },
    AssumedRoleUser: {
      AssumedRoleId: `${role.id}:${session.sessionName}`,
      Arn: `arn:aws:sts::${account.id}:assumed-role/${role.name}/${session.sessionName}`,
    },
    PackedPolicySize: request.packedPolicySize,
    SourceIdentity: session.sourceIdentity,
  }
}

/** `GetCallerIdentity`: no policy can deny it, so it proves nothing about a revocation. */
export function getCallerIdentity(account: Account, caller: Caller): XmlNode {
  return { Arn: caller.arn, UserId: caller.userId, Account: account.id }
}

function authorize(
  account: Account,
  caller: Caller,
  { role, request }: { role: Role; request: AssumeRoleRequest },
): void {
  const context = requestContext(account, caller, request)
  const actions = [
    'sts:AssumeRole',
    ...(request.tags.size > 0 ? ['sts:TagSession'] : []),
    ...(request.sourceIdentity === undefined ? [] : ['sts:SetSourceIdentity']),
  ]
  for (const action of actions) {
    const access: Access = { action, resource: role.arn, context }
    if (!mayAssume(account, caller, { role, access })) throw denied(caller, action, role.arn)
  }
  const own = caller.session?.sourceIdentity
  // A source identity cannot be changed by going through another role.
  if (own !== undefined && own !== request.sourceIdentity)
    throw denied(caller, 'sts:SetSourceIdentity', role.arn)
}

/**
 * In one account a trust policy that names the caller is enough; one that names the account leaves
 * it to the caller's own policies; across accounts both must agree.
 */
function mayAssume(
  { id }: Account,
  caller: Caller,
  { role, access }: { role: Role; access: Access },
): boolean {
  const account = caller.principal.split(':')[4] ?? ''
  const naming = (names: readonly string[]) =>
    role.trust.filter(({ principals }) => principals.some((principal) => names.includes(principal)))
  const byName = naming([caller.principal, caller.arn])
  const byAccount = naming([account, `arn:aws:iam::${account}:root`, '*'])
  if (isDenied([...byName, ...byAccount], access)) return false
  const { identity, session } = caller.permissions
  if (isDenied([...caller.permissions.organisation, ...identity, ...(session ?? [])], access))
    return false
  if (account === id && isGranted(byName, access)) return true
  return isGranted([...byName, ...byAccount], access) && isAllowed(caller.permissions, access)
}

function requestContext(
  account: Account,
  caller: Caller,
  request: AssumeRoleRequest,
): RequestContext {
  return new Map([
    ...caller.context,
    ['aws:currenttime', [account.now().toISOString()]],
    ['sts:rolesessionname', [request.sessionName]],
    ...(request.sourceIdentity === undefined
      ? []
      : [['sts:sourceidentity', [request.sourceIdentity]] as const]),
    ...(request.externalId === undefined
      ? []
      : [['sts:externalid', [request.externalId]] as const]),
    ...(request.tags.size === 0 ? [] : [['aws:tagkeys', [...request.tags.keys()]] as const]),
    ...[...request.tags].map(
      ([key, value]) => [`aws:requesttag/${key.toLowerCase()}`, [value]] as const,
    ),
  ])
}

function checkDuration(caller: Caller, role: Role, seconds: number): void {
  if (caller.session && seconds > 3600)
    throw new AwsError(
      400,
      'ValidationError',
      'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining',
    )
  if (seconds > role.maxSessionDurationSeconds)
    throw new AwsError(
      400,
      'ValidationError',
      'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
    )
}

function sessionStatements(
  { managed }: Account,
  { policy, policyArns }: AssumeRoleRequest,
): readonly Statement[] | null {
  if (policy === undefined && policyArns.length === 0) return null
  const named = policyArns.flatMap((arn) => {
    const found = managed.find(arn)
    if (!found) throw new AwsError(400, 'ValidationError', `The policy ${arn} does not exist.`)
    return found.current.latest().statements
  })
  return [...(policy === undefined ? [] : parsePolicy(policy)), ...named]
}

function mint(
  account: Account,
  {
    role,
    request,
    statements,
  }: { role: Role; request: AssumeRoleRequest; statements: readonly Statement[] | null },
): Session {
  const issuedAt = new Date(Math.floor(account.now().getTime() / 1000) * 1000)
  return {
    accessKeyId: randomId('ASIA'),
    secretAccessKey: randomBytes(30).toString('base64'),
    sessionToken: randomBytes(256).toString('base64'),
    role,
    sessionName: request.sessionName,
    sourceIdentity: request.sourceIdentity,
    tags: request.tags,
    policy: request.policy,
    statements,
    issuedAt,
    expiresAt: new Date(issuedAt.getTime() + request.durationSeconds * 1000),
  }
}

function denied(caller: Caller, action: string, resource: string): AwsError {
  return new AwsError(
    403,
    'AccessDenied',
    `User: ${caller.arn} is not authorized to perform: ${action} on resource: ${resource}`,
  )
}
