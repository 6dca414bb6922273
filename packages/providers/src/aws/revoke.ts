import { MayflyError, type Clock, type DeniedSessions, type RevocationHandle } from '@mayfly/core'

import {
  DENY_POLICY_NAME,
  deniedBefore,
  deniedSessionNames,
  denyDocument,
  MAX_DENY_CHARACTERS,
  OLDER_SESSIONS_POLICY_NAME,
  olderSessionsDocument,
} from './deny-policy.ts'
import { readHandle, type AwsSession } from './handle.ts'
import type { RolePolicies } from './role-policies.ts'
import type { AwsSettings } from './settings.ts'

export interface AwsRevokeDeps {
  readonly policies: RolePolicies
  readonly deniedSessions: DeniedSessions
  readonly settings: AwsSettings
  readonly clock: Clock
}

/** Under what IAM takes at best, over what clocks on our side differ by. */
const NEAR_END_MS = 2000

/**
 * Makes a session stop working before its time: a Deny for its name in one inline policy of the
 * role, rebuilt from the database each time, so that no two writers can lose each other's entries.
 */
export async function revokeSession(
  deps: AwsRevokeDeps,
  handle: RevocationHandle,
  signal: AbortSignal,
): Promise<void> {
  const session = readHandle(handle)
  // Its policy ends sooner than IAM could take a Deny into account; verifyDead needs none then.
  if (
    session.minted &&
    deps.clock.now().getTime() >= session.minted.sealedAt.getTime() - NEAR_END_MS
  )
    return
  await deps.deniedSessions.underRoleLock(session.roleArn, (leaseIds) => {
    // A session known to be working is denied whatever the list says.
    const names = session.minted ? [...leaseIds, session.sessionName] : leaseIds
    return deny(deps, { session, names }, signal)
  })
}

async function deny(
  deps: AwsRevokeDeps,
  { session, names }: { session: AwsSession; names: readonly string[] },
  signal: AbortSignal,
): Promise<void> {
  const policy = { roleArn: session.roleArn, name: DENY_POLICY_NAME }
  const current = await deps.policies.read(policy, signal)
  if (names.length === 0) {
    if (current !== null) await deps.policies.remove(policy, signal)
    return
  }
  const document = denyDocument(names)
  if (current !== null && denyDocument(deniedSessionNames(current)) === document) return
  const written =
    document.length > MAX_DENY_CHARACTERS
      ? 'full'
      : await deps.policies.write({ ...policy, document }, signal)
  if (written === 'full') await overflow(deps, session, signal)
}

/** No room for another name: either every older session of the role goes, or this one waits. */
async function overflow(
  deps: AwsRevokeDeps,
  session: AwsSession,
  signal: AbortSignal,
): Promise<void> {
  const policy = { roleArn: session.roleArn, name: OLDER_SESSIONS_POLICY_NAME }
  if (!deps.settings.revokeOlderSessionsOnOverflow) throw full(session.roleArn)
  if (coversSession(await deps.policies.read(policy, signal), session)) return
  const now = deps.clock.now()
  // A session issued in this very second would otherwise be taken for a newer one.
  const before = new Date(Math.max(now.getTime(), session.minted?.issuedAt.getTime() ?? 0) + 1000)
  const written = await deps.policies.write(
    { ...policy, document: olderSessionsDocument(before) },
    signal,
  )
  if (written === 'full') throw full(session.roleArn)
}

/** Whether a document read back denies every session older than one that was issued after this one. */
export function coversSession(document: string | null, { minted }: AwsSession): boolean {
  const before = deniedBefore(document)
  return before !== null && minted !== undefined && minted.issuedAt < before
}

function full(roleArn: string): MayflyError {
  return new MayflyError(
    'provider_unavailable',
    `the inline policies of role ${roleArn} have no room for another denied session`,
    { retryable: true, retryAfterSeconds: 30, details: { reason: 'deny_policy_full', roleArn } },
  )
}
