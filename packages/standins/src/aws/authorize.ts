import { evaluateConditions, type RequestContext } from './conditions.ts'
import type { Statement } from './policy-document.ts'
import { matchesWildcard } from './wildcard.ts'

export interface Access {
  readonly action: string
  readonly resource: string
  readonly context: RequestContext
}

/** What limits a caller: identity policies, and session policies when it is such a session. */
export interface Permissions {
  /** Of the organisation's policies only what they deny is looked at. */
  readonly organisation: readonly Statement[]
  readonly identity: readonly Statement[]
  readonly session: readonly Statement[] | null
}

/** IAM's rule inside one account: no Deny anywhere, and an Allow from every kind of policy present. */
export function isAllowed(
  { organisation, identity, session }: Permissions,
  access: Access,
): boolean {
  if (isDenied([...organisation, ...identity, ...(session ?? [])], access)) return false
  return isGranted(identity, access) && (session === null || isGranted(session, access))
}

export function isGranted(statements: readonly Statement[], access: Access): boolean {
  return statements.some(
    (statement) =>
      statement.effect === 'Allow' &&
      covers(statement, access) &&
      evaluateConditions(statement.conditions, access.context) === 'met',
  )
}

export function isDenied(statements: readonly Statement[], access: Access): boolean {
  return statements.some(
    (statement) =>
      // What cannot be evaluated denies: a stand-in must not be more lenient than what it stands for.
      statement.effect === 'Deny' &&
      covers(statement, access) &&
      evaluateConditions(statement.conditions, access.context) !== 'unmet',
  )
}

function covers({ actions, resources }: Statement, { action, resource }: Access): boolean {
  return (
    actions.some((pattern) => matchesWildcard(pattern.toLowerCase(), action.toLowerCase())) &&
    resources.some((pattern) => matchesWildcard(pattern, resource))
  )
}
