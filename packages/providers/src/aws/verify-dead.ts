import type { Death, Denial, RevocationHandle, RevocationSent } from '@mayfly/core'

import { DENY_POLICY_NAME, deniedBefore, deniedSessionNames } from './deny-policy.ts'
import { readHandle, type AwsSession } from './handle.ts'
import { covers } from './revoke.ts'
import type { AwsRevokeDeps } from './role-turn.ts'

type VerifyDeps = Pick<AwsRevokeDeps, 'policies' | 'deniedSessions' | 'settings'>

/** How far AWS's clock may lag behind the database's. */
const MARGIN_MS = 1000
/** When a Deny is found missing, the next attempt writes it again. */
const MISSING_RETRY_MS = 5000
const NO_DENY = 'no Deny for this session is in place'

/**
 * Proof that a session is dead: its time is over, or its Deny has been read back after the time
 * that IAM needs, counted from the last write that put it there. Not `GetCallerIdentity`, which no
 * policy can deny.
 */
export async function verifySessionDead(
  deps: VerifyDeps,
  { handle, sent }: { handle: RevocationHandle; sent: RevocationSent },
  signal: AbortSignal,
): Promise<Death> {
  const session = readHandle(handle)
  const now = sent.now.getTime()
  const told = toldEnd(session)
  if (told && now >= told.at.getTime()) return over(told, now)

  const known = await deps.deniedSessions.find(session.sessionName)
  // A mint that was not answered carried the lease's end all the same.
  const end = told ?? (known && sealedAt(known.sealedAt))
  if (end && now >= end.at.getTime()) return over(end, now)
  const denial = known === null ? null : known.denial
  return untilEnd(end, await findDeny(deps, { session, denial, now }, signal))
}

/** There is no point in waiting for longer than the session can work. */
function untilEnd(end: End | null, death: Death): Death {
  if (death.dead || !end) return death
  const latest = new Date(end.at.getTime() + MARGIN_MS)
  return death.retryAt > latest ? { ...death, retryAt: latest } : death
}

async function findDeny(
  deps: VerifyDeps,
  { session, denial, now }: { session: AwsSession; denial: Denial | null; now: number },
  signal: AbortSignal,
): Promise<Death> {
  const missing = (reason: string): Death => {
    return { dead: false, reason, retryAt: new Date(now + MISSING_RETRY_MS) }
  }
  if (!denial || !covers(denial, session)) {
    const unrecorded = { policy: DENY_POLICY_NAME, since: new Date(now), cutOff: null }
    const there = await isInPlace(deps, { denial: unrecorded, session }, signal)
    return missing(there ? 'a Deny is in place, nobody knows since when' : NO_DENY)
  }
  const inForceAt = denial.since.getTime() + deps.settings.propagationSeconds * 1000
  if (now < inForceAt)
    return {
      dead: false,
      reason: `${describe(denial, session)} is written and IAM may still be propagating it`,
      retryAt: new Date(inForceAt),
      sentAt: denial.since,
    }
  if (!(await isInPlace(deps, { denial, session }, signal))) {
    await deps.deniedSessions.forget(session.sessionName, denial.since)
    return missing(NO_DENY)
  }
  const waited = Math.floor((now - denial.since.getTime()) / 1000)
  const proof = `${describe(denial, session)} read back from ${session.roleArn} ${String(waited)} s after it was written`
  return { dead: true, proof }
}

interface End {
  readonly at: Date
  readonly proof: string
}

function over(end: End, now: number): Death {
  const certain = end.at.getTime() + MARGIN_MS
  if (now >= certain) return { dead: true, proof: end.proof }
  const reason = 'the session has just ended and clocks may differ'
  return { dead: false, reason, retryAt: new Date(certain) }
}

/** When the session dies by itself, if its mint was answered: at `sealedAt` its policy ends. */
function toldEnd({ minted }: AwsSession): End | null {
  if (!minted) return null
  const { sealedAt: at, expiresAt } = minted
  if (at <= expiresAt) return sealedAt(at)
  return { at: expiresAt, proof: `the session expired at ${expiresAt.toISOString()}` }
}

function sealedAt(at: Date): End {
  return { at, proof: `every Allow ended at ${at.toISOString()} (aws:CurrentTime)` }
}

function describe({ policy, cutOff }: Denial, { sessionName }: AwsSession): string {
  return cutOff === null
    ? `Deny for session ${sessionName} in ${policy}`
    : `role-wide Deny for sessions issued before ${cutOff.toISOString()} in ${policy}`
}

async function isInPlace(
  { policies }: VerifyDeps,
  { denial, session }: { denial: Denial; session: AwsSession },
  signal: AbortSignal,
): Promise<boolean> {
  const { roleArn, sessionName } = session
  const document = await policies.read({ roleArn, name: denial.policy }, signal)
  if (document === null) return false
  if (denial.cutOff === null) return (deniedSessionNames(document) ?? []).includes(sessionName)
  const before = deniedBefore(document)
  return before !== null && before >= denial.cutOff
}
