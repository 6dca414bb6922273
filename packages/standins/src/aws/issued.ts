import type { Account, Session } from './account.ts'
import { isAllowed } from './authorize.ts'
import { sessionCaller } from './caller.ts'

/** A session that was minted, without its secrets. */
export interface IssuedSession {
  readonly accessKeyId: string
  readonly roleArn: string
  readonly sessionName: string
  readonly sourceIdentity: string | undefined
  readonly tags: Readonly<Record<string, string>>
  /** The inline session policy, as it was sent. */
  readonly policy: string | undefined
  readonly issuedAt: Date
  readonly expiresAt: Date
}

export function describeSession(session: Session): IssuedSession {
  return {
    accessKeyId: session.accessKeyId,
    roleArn: session.role.arn,
    sessionName: session.sessionName,
    sourceIdentity: session.sourceIdentity,
    tags: Object.fromEntries(session.tags),
    policy: session.policy,
    issuedAt: session.issuedAt,
    expiresAt: session.expiresAt,
  }
}

/** True when the session could still do at least one of the things that its policies name. */
export function isLive(account: Account, session: Session, at: Date): boolean {
  if (at >= session.expiresAt) return false
  const { permissions, context } = sessionCaller(account, session, at)
  // Wildcards stand for anything, so one example of each pattern tells whether it is allowed.
  const example = (pattern: string) => pattern.replace(/[*?]/g, 'x')
  return (permissions.session ?? permissions.identity)
    .filter(({ effect }) => effect === 'Allow')
    .some(({ actions, resources }) =>
      actions.some((action) =>
        resources.some((resource) =>
          isAllowed(permissions, { action: example(action), resource: example(resource), context }),
        ),
      ),
    )
}
