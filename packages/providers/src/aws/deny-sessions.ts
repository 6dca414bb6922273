import type { DeniedSession } from '@mayfly/core'

import type { DenyPolicy } from './deny-policies.ts'
import { DENY_POLICY_NAME, deniedSessionNames, denyDocument } from './deny-policy.ts'
import { placeSessions, type Place } from './place-sessions.ts'
import type { AwsRevokeDeps, RoleTurn } from './role-turn.ts'

/** A deny policy as it stands on the role. */
interface Standing extends DenyPolicy, Place {
  readonly exists: boolean
  /** It says nothing but what we write. */
  readonly ours: boolean
}

/** Fewer than this many characters are not worth another try at a role whose quota is used by others. */
const WORTH_A_TRY = 300

/**
 * Makes the role's deny policies name exactly the wanted sessions, and returns those that found no
 * room. Policies that say so already are not written, so that a crowd costs one write.
 */
export async function denySessions(
  deps: AwsRevokeDeps,
  turn: RoleTurn,
  wanted: readonly string[],
): Promise<readonly string[]> {
  const standing: Standing[] = []
  for (const policy of deps.policies.of(turn.session.roleArn))
    standing.push(await readStanding(deps, turn, policy))
  for (;;) {
    const { names, left } = placeSessions(standing, wanted)
    const full = await writeAll(deps, turn, { standing, names })
    if (full === null) return left
    standing[full.index] = full.smaller
  }
}

async function readStanding(
  { policies }: AwsRevokeDeps,
  { session: { roleArn }, signal }: RoleTurn,
  policy: DenyPolicy,
): Promise<Standing> {
  const document = await policies.read({ roleArn, name: policy.name }, signal)
  const names = document === null ? [] : deniedSessionNames(document)
  return { ...policy, names: names ?? [], exists: document !== null, ours: names !== null }
}

interface Writing {
  /** Brought up to date as the policies are written. */
  readonly standing: Standing[]
  readonly names: readonly (readonly string[])[]
}

interface Full {
  readonly index: number
  readonly smaller: Standing
}

async function writeAll(
  deps: AwsRevokeDeps,
  turn: RoleTurn,
  { standing, names }: Writing,
): Promise<Full | null> {
  for (const [index, current] of standing.entries()) {
    const next = names[index] ?? []
    if ((await writeOne(deps, turn, { current, next })) === 'full')
      return { index, smaller: shrink(current, next) }
    standing[index] = { ...current, names: next, exists: next.length > 0, ours: true }
  }
  return null
}

async function writeOne(
  { policies }: AwsRevokeDeps,
  { session: { roleArn }, sessions, denials, signal }: RoleTurn,
  { current, next }: { readonly current: Standing; readonly next: readonly string[] },
): Promise<'written' | 'full'> {
  const { name: policy } = current
  const recorded = new Set(
    sessions.filter((one) => isNamedIn(one, policy)).map(({ leaseId }) => leaseId),
  )
  const added = next.filter((name) => !current.names.includes(name))
  if (!saysExactly(current, next)) {
    await denials.forget(added)
    if (next.length === 0) await policies.remove({ roleArn, name: policy }, signal)
    else {
      const document = denyDocument(next)
      const outcome = await policies.write({ roleArn, name: policy, document }, signal)
      if (outcome === 'full') return 'full'
    }
  }
  // What stands in the policy without a record was written by somebody who then died.
  const unrecorded = next.filter((name) => added.includes(name) || !recorded.has(name))
  if (unrecorded.length > 0) await denials.record({ policy, cutOff: null, leaseIds: unrecorded })
  const missing = added.filter((name) => recorded.has(name))
  if (!current.ours || missing.length > 0) await denials.reportRepair(policy, missing)
  return 'written'
}

function isNamedIn({ denial }: DeniedSession, policy: string): boolean {
  return denial?.policy === policy && denial.cutOff === null
}

function saysExactly({ ours, names }: Standing, next: readonly string[]): boolean {
  return ours && denyDocument(names) === denyDocument(next)
}

/**
 * Others have inline policies on this role too, so half of what was to be added may still fit. A
 * managed policy shares its room with nobody: that one cannot be made or attached at all.
 */
function shrink(current: Standing, next: readonly string[]): Standing {
  if (current.name !== DENY_POLICY_NAME) return { ...current, maxCharacters: 0 }
  const stays = denyDocument(current.names.filter((name) => next.includes(name))).length
  const more = Math.floor((denyDocument(next).length - stays) / 2)
  return { ...current, maxCharacters: more < WORTH_A_TRY ? 0 : stays + more }
}
