import { timingSafeEqual } from 'node:crypto'

import type { Account, Session, User } from './account.ts'
import { isAllowed, type Access, type Permissions } from './authorize.ts'
import { AwsError } from './aws-error.ts'
import type { RequestContext } from './conditions.ts'
import type { Signed } from './sigv4.ts'

/** Who signed the request, with what limits it at this instant. */
export interface Caller {
  readonly arn: string
  /** The role's ARN for a session, the user's otherwise: what trust policies name. */
  readonly principal: string
  readonly userId: string
  readonly session: Session | null
  readonly permissions: Permissions
  readonly context: RequestContext
}

/** Finds the credential that signed the request and checks that it signed it and still lives. */
export async function authenticate(account: Account, signed: Signed): Promise<Caller> {
  const user = account.users.get(signed.accessKeyId)
  const session = account.sessions.get(signed.accessKeyId)
  if (session) {
    await signed.verify(session.secretAccessKey)
    if (!sameText(signed.sessionToken ?? '', session.sessionToken)) throw invalidToken()
    if (account.now() >= session.expiresAt)
      throw new AwsError(
        403,
        'ExpiredToken',
        'The security token included in the request is expired',
      )
    return sessionCaller(account, session, account.now())
  }
  if (!user || signed.sessionToken !== undefined) throw invalidToken()
  await signed.verify(user.secretAccessKey)
  return userCaller(account, user)
}

/** Throws `AccessDenied` unless the caller may do this to that. */
export function assertAllowed(
  caller: Caller,
  action: string,
  resource: string,
  more: RequestContext = new Map(),
): void {
  const access: Access = { action, resource, context: new Map([...caller.context, ...more]) }
  if (isAllowed(caller.permissions, access)) return
  throw new AwsError(
    403,
    'AccessDenied',
    `User: ${caller.arn} is not authorized to perform: ${action} on resource: ${resource}`,
  )
}

export function sessionCaller({ id, organisation }: Account, session: Session, at: Date): Caller {
  const { role, sessionName } = session
  const userId = `${role.id}:${sessionName}`
  return {
    arn: `arn:aws:sts::${id}:assumed-role/${role.name}/${sessionName}`,
    principal: role.arn,
    userId,
    session,
    permissions: {
      organisation,
      identity: [...role.inline.effective(at), ...role.attached.effective(at)],
      session: session.statements,
    },
    context: new Map([
      ['aws:currenttime', [at.toISOString()]],
      ['aws:userid', [userId]],
      ['aws:principalarn', [role.arn]],
      ['aws:tokenissuetime', [session.issuedAt.toISOString()]],
      ...(session.sourceIdentity === undefined
        ? []
        : [['aws:sourceidentity', [session.sourceIdentity]] as const]),
      ...[...session.tags].map(
        ([key, value]) => [`aws:principaltag/${key.toLowerCase()}`, [value]] as const,
      ),
    ]),
  }
}

function userCaller(account: Account, user: User): Caller {
  return {
    arn: user.arn,
    principal: user.arn,
    userId: user.id,
    session: null,
    permissions: { organisation: account.organisation, identity: user.statements, session: null },
    context: new Map([
      ['aws:currenttime', [account.now().toISOString()]],
      ['aws:userid', [user.id]],
      ['aws:username', [user.arn.split('/').at(-1) ?? '']],
      ['aws:principalarn', [user.arn]],
    ]),
  }
}

function invalidToken(): AwsError {
  return new AwsError(
    403,
    'InvalidClientTokenId',
    'The security token included in the request is invalid.',
  )
}

function sameText(a: string, b: string): boolean {
  const [one, other] = [Buffer.from(a), Buffer.from(b)]
  return one.length === other.length && timingSafeEqual(one, other)
}
