import { type DeniedSession, type Denial, type RevocationHandle } from '@mayfly/core'

import { cutOffRole, restoreCutOff } from './cut-off.ts'
import { denySessions } from './deny-sessions.ts'
import { readHandle, type AwsSession } from './handle.ts'
import type { AwsRevokeDeps, RoleTurn } from './role-turn.ts'

/** Under what IAM takes at best, over what clocks on our side differ by. */
const NEAR_END_MS = 2000

/**
 * Makes a session stop working before its time: a Deny for its name in the deny policies of the
 * role, which are rebuilt from the database under the role's lock, so that no two writers can lose
 * each other's entries. Whoever has the lock writes for all, and the others find that it is done.
 */
export async function revokeSession(
  deps: AwsRevokeDeps,
  { handle, now }: { readonly handle: RevocationHandle; readonly now: Date },
  signal: AbortSignal,
): Promise<void> {
  const session = readHandle(handle)
  // Its policy ends sooner than IAM could take a Deny into account; verifyDead needs none then.
  if (session.minted && isNearEnd(now, session.minted.sealedAt)) return
  const known = await deps.deniedSessions.find(session.sessionName)
  if (known && !session.minted && isNearEnd(now, known.sealedAt)) return
  if (isDenied(session, known)) return
  await deps.deniedSessions.underRoleLock(session.roleArn, async (denials) => {
    signal.throwIfAborted()
    // Somebody who was here before us may have written it for us.
    if (isDenied(session, await deps.deniedSessions.find(session.sessionName))) return
    await deny(deps, { session, denials, signal, ...(await denials.read()) })
  })
}

async function deny(deps: AwsRevokeDeps, turn: RoleTurn): Promise<void> {
  const { session, sessions } = turn
  const left = await denySessions(deps, turn, wantedNames(session, sessions))
  await restoreCutOff(deps, turn)
  if (left.includes(session.sessionName)) await cutOffRole(deps, turn, left)
}

/** What must be denied by name: all but what a cut-off covers. */
function wantedNames(session: AwsSession, sessions: readonly DeniedSession[]): readonly string[] {
  const covered = (one: DeniedSession): boolean =>
    one.denial !== null &&
    one.denial.cutOff !== null &&
    (one.leaseId !== session.sessionName || covers(one.denial, session))
  const listed = sessions.filter((one) => !covered(one)).map(({ leaseId }) => leaseId)
  // A session known to be working is denied whatever the list says.
  return session.minted ? [...new Set([...listed, session.sessionName])] : listed
}

function isNearEnd(now: Date, end: Date): boolean {
  return now.getTime() >= end.getTime() - NEAR_END_MS
}

function isDenied(session: AwsSession, known: DeniedSession | null): boolean {
  return known?.denial ? covers(known.denial, session) : false
}

/**
 * A cut-off covers what was issued before it, which AWS says of a mint that was answered. One that
 * was not is only written off against a cut-off when its mint could not be under way any more.
 */
export function covers({ cutOff }: Denial, { minted }: AwsSession): boolean {
  return cutOff === null || minted === undefined || minted.issuedAt < cutOff
}
