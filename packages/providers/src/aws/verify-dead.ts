import type { Death, RevocationHandle, RevocationSent } from '@mayfly/core'

import { DENY_POLICY_NAME, deniedSessionNames, OLDER_SESSIONS_POLICY_NAME } from './deny-policy.ts'
import { readHandle, type AwsSession } from './handle.ts'
import { coversSession, type AwsRevokeDeps } from './revoke.ts'

/** How far AWS's clock may lag behind the database's. */
const MARGIN_MS = 1000
/** When a Deny is found missing, the next attempt writes it again. */
const MISSING_RETRY_MS = 5000

/**
 * Proof that a session is dead: its time is over, or its Deny has been read back after the time
 * that IAM needs. Not `GetCallerIdentity`, which no policy can deny.
 */
export async function verifySessionDead(
  deps: Pick<AwsRevokeDeps, 'policies' | 'settings'>,
  { handle, sent }: { handle: RevocationHandle; sent: RevocationSent },
  signal: AbortSignal,
): Promise<Death> {
  const session = readHandle(handle)
  const now = sent.now.getTime()
  const end = endOf(session)
  if (end && now >= end.at.getTime()) return over(end, now)

  const found = await findDeny(deps, session, signal)
  const inForceAt = sent.sentAt.getTime() + deps.settings.propagationSeconds * 1000
  if (found !== null && now >= inForceAt) {
    const waited = Math.floor((now - sent.sentAt.getTime()) / 1000)
    return {
      dead: true,
      proof: `${found} read back from ${session.roleArn} ${String(waited)} s after it was written`,
    }
  }
  const next = found === null ? now + MISSING_RETRY_MS : inForceAt
  return {
    dead: false,
    reason:
      found === null
        ? 'no Deny for this session is in place'
        : 'the Deny is in place and IAM may still be propagating it',
    retryAt: new Date(end ? Math.min(next, end.at.getTime() + MARGIN_MS) : next),
  }
}

function over(end: { readonly at: Date; readonly proof: string }, now: number): Death {
  const certain = end.at.getTime() + MARGIN_MS
  if (now >= certain) return { dead: true, proof: end.proof }
  const reason = 'the session has just ended and clocks may differ'
  return { dead: false, reason, retryAt: new Date(certain) }
}

/** When the session dies by itself, if the mint was answered: at `sealedAt` its policy ends. */
function endOf({ minted }: AwsSession): { readonly at: Date; readonly proof: string } | null {
  if (!minted) return null
  const { sealedAt, expiresAt } = minted
  return sealedAt <= expiresAt
    ? { at: sealedAt, proof: `every Allow ended at ${sealedAt.toISOString()} (aws:CurrentTime)` }
    : { at: expiresAt, proof: `the session expired at ${expiresAt.toISOString()}` }
}

async function findDeny(
  { policies }: Pick<AwsRevokeDeps, 'policies'>,
  session: AwsSession,
  signal: AbortSignal,
): Promise<string | null> {
  const { roleArn } = session
  const denied = deniedSessionNames(
    await policies.read({ roleArn, name: DENY_POLICY_NAME }, signal),
  )
  if (denied.includes(session.sessionName))
    return `Deny for session ${session.sessionName} in ${DENY_POLICY_NAME}`
  const older = await policies.read({ roleArn, name: OLDER_SESSIONS_POLICY_NAME }, signal)
  return coversSession(older, session)
    ? `Deny for older sessions in ${OLDER_SESSIONS_POLICY_NAME}`
    : null
}
