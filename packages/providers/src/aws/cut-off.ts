import { setTimeout as wait } from 'node:timers/promises'

import { MayflyError, type DeniedSession } from '@mayfly/core'

import {
  deniedBefore,
  OLDER_SESSIONS_POLICY_NAME as NAME,
  olderSessionsDocument,
} from './deny-policy.ts'
import type { AwsRevokeDeps, RoleTurn } from './role-turn.ts'

/** A second, and another one for clocks that differ. */
const LONGEST_WAIT_MS = 2000

/**
 * The last way out, where the connection allows it: every session of the role that was issued
 * before now. It also ends leases that nobody asked to end, so the database ends them first: a
 * cut-off that nobody recorded would leave leases that look alive.
 */
export async function cutOffRole(
  deps: AwsRevokeDeps,
  turn: RoleTurn,
  left: readonly string[],
): Promise<void> {
  const { session, sessions, denials, signal } = turn
  if (!deps.settings.revokeOlderSessionsOnOverflow) throw full(session.roleArn)
  const standing = await readCutOff(deps, turn)
  // AWS counts whole seconds from the issue of a session, and by its own clock.
  const cutOff = latest([
    nextSecond(turn.now),
    ...(session.minted ? [nextSecond(session.minted.issuedAt)] : []),
    ...(standing ? [standing] : []),
  ])
  const ended = await denials.endOpenedBefore(cutOff, NAME)
  const waiting = sessions.filter(({ leaseId }) => left.includes(leaseId))
  await writeCutOff(deps, turn, cutOff)
  const covered = unpending([...waiting, ...ended])
  await denials.record({
    policy: NAME,
    cutOff,
    leaseIds: [...new Set([...covered, session.sessionName])],
  })
  // Until then sessions are minted that the cut-off denies from birth.
  const ahead = cutOff.getTime() - turn.now.getTime()
  await wait(Math.min(ahead, LONGEST_WAIT_MS), undefined, { signal })
  const late = unpending(await denials.endOpenedBefore(cutOff, NAME))
  if (late.length > 0) await denials.record({ policy: NAME, cutOff, leaseIds: late })
}

/** Puts a cut-off back that sessions still rely on and that somebody took away. */
export async function restoreCutOff(deps: AwsRevokeDeps, turn: RoleTurn): Promise<void> {
  const relying = turn.sessions.filter(({ denial }) => denial?.cutOff)
  const cutOffs = relying.flatMap(({ denial }) => (denial?.cutOff ? [denial.cutOff] : []))
  if (cutOffs.length === 0) return
  const cutOff = latest(cutOffs)
  const standing = await readCutOff(deps, turn)
  if (standing !== null && standing >= cutOff) return
  const leaseIds = relying.map(({ leaseId }) => leaseId)
  await turn.denials.forget(leaseIds)
  await writeCutOff(deps, turn, cutOff)
  await turn.denials.record({ policy: NAME, cutOff, leaseIds })
  await turn.denials.reportRepair(NAME, leaseIds)
}

/** Null when there is none. The console writes the same form, and what is not of it stays untouched. */
async function readCutOff(
  { policies }: AwsRevokeDeps,
  { session: { roleArn }, signal }: RoleTurn,
): Promise<Date | null> {
  const document = await policies.read({ roleArn, name: NAME }, signal)
  const before = deniedBefore(document)
  if (document === null || before !== null) return before
  throw new MayflyError(
    'provider_unavailable',
    `the policy ${NAME} of role ${roleArn} is not of the form that the AWS console writes`,
    { retryable: true, retryAfterSeconds: 30, details: { reason: 'cut_off_foreign', roleArn } },
  )
}

async function writeCutOff(
  { policies }: AwsRevokeDeps,
  { session: { roleArn }, signal }: RoleTurn,
  cutOff: Date,
): Promise<void> {
  const document = olderSessionsDocument(cutOff)
  const outcome = await policies.write({ roleArn, name: NAME, document }, signal)
  if (outcome === 'full') throw full(roleArn)
}

/** One whose mint may still be under way can be issued after the cut-off: it waits for its turn. */
function unpending(sessions: readonly DeniedSession[]): readonly string[] {
  return sessions.filter(({ pending }) => !pending).map(({ leaseId }) => leaseId)
}

function nextSecond(instant: Date): Date {
  return new Date((Math.floor(instant.getTime() / 1000) + 1) * 1000)
}

function latest(instants: readonly Date[]): Date {
  return new Date(Math.max(...instants.map((instant) => instant.getTime())))
}

function full(roleArn: string): MayflyError {
  return new MayflyError(
    'provider_unavailable',
    `the deny policies of role ${roleArn} have no room for another session`,
    { retryable: true, retryAfterSeconds: 30, details: { reason: 'deny_policy_full', roleArn } },
  )
}
