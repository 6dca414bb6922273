import type {
  ContainedLeaseBody,
  ContainmentBody,
  ContainmentDetail,
  PreviewBody,
} from '@mayfly/protocol'

import { plainTable } from './plain-table.ts'
import { printable } from './printable.ts'
import { selectorText } from './selector-options.ts'

/** What would die, what cannot be killed, and what else would change. */
export function previewText(preview: PreviewBody): string {
  const { leases, total, irrevocable, sideEffects } = preview
  const table = plainTable(
    ['LEASE', 'STATE', 'PROVIDER', 'AGENT', 'TARGETS'],
    leases.map(({ id, state, provider, agent, targets }) => [
      id,
      state,
      provider,
      printable(agent),
      printable(shortened(targets)),
    ]),
  )
  const providers = Object.entries(preview.byProvider).map(
    ([name, count]) => `${String(count)} ${name}`,
  )
  const lines = [
    `${String(total)} live leases match ${printable(selectorText(preview.selector))}: ${providers.join(', ')}`,
    ...(preview.truncated
      ? [`only the first ${String(leases.length)} are listed, and what follows is about them`]
      : []),
    ...irrevocable.map(
      ({ leaseId, until, reason }) =>
        `cannot be killed early: ${leaseId}, until ${until}: ${reason}`,
    ),
    ...sideEffects.map(sideEffectText),
  ]
  return `${total > 0 ? table : ''}${lines.map((line) => `${printable(line)}\n`).join('')}`
}

function sideEffectText({
  kind,
  role,
  sessions = 0,
  tasks = 0,
}: PreviewBody['sideEffects'][number]) {
  if (kind === 'aws_deny_policy') {
    return `the role ${role ?? '?'} gets a policy that denies ${String(sessions)} sessions; others go on`
  }
  if (kind === 'tasks_frozen') return `${String(tasks)} tasks go on, and get no more of the same`
  return kind
}

/** One line of where it stands. */
export function progressText({ counts, total, state }: ContainmentBody): string {
  const done = counts.revoked + counts.expired + counts.never_minted
  const rest = (['queued', 'propagating', 'failed', 'irrevocable', 'spared'] as const)
    .filter((name) => counts[name] > 0)
    .map((name) => `${String(counts[name])} ${name}`)
  const dead = `${String(done)} of ${String(total)} dead`
  return `${state}: ${[dead, ...rest].join(', ')}`
}

const BAR_WIDTH = 30

/** The same with a bar before it, for a terminal. */
export function progressBar(containment: ContainmentBody): string {
  const { counts, total } = containment
  const done = counts.revoked + counts.expired + counts.never_minted
  const filled = total === 0 ? 0 : Math.floor((done / total) * BAR_WIDTH)
  return `[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}] ${progressText(containment)}`
}

/** How it ended, with every lease that may still be live before the others. */
export function outcomeText({ containment, leases }: ContainmentDetail): string {
  const table = plainTable(
    ['LEASE', 'STATE', 'PROVIDER', 'AGENT', 'PROOF OR REASON', 'NEXT'],
    leases.map((lease) => [
      lease.leaseId,
      lease.state,
      lease.provider,
      printable(lease.agent),
      printable(lease.proof ?? lease.note ?? ''),
      nextOf(lease),
    ]),
  )
  const { id, freezeId, frozen, lastDiesAt } = containment
  const lines = [
    `${id} ${progressText(containment)}`,
    ...(isDead(containment)
      ? ['nothing of it may be live']
      : [`something may still be live, until ${lastDiesAt ?? 'nobody knows'} at the latest`]),
    ...(frozen
      ? [`still frozen; to let mints through again: mayfly unfreeze ${freezeId} --reason …`]
      : []),
  ]
  return `${table}${lines.map((line) => `${printable(line)}\n`).join('')}`
}

function nextOf({ state, nextAttemptAt, diesAt }: ContainedLeaseBody): string {
  if (state === 'irrevocable') return `dies ${diesAt}`
  return nextAttemptAt === null ? '' : `tried ${nextAttemptAt}`
}

/** True when nothing that the containment was about may be live. */
export function isDead({ state }: ContainmentBody): boolean {
  return state === 'finished'
}

function shortened(targets: readonly string[]): string {
  const [first = '', second = ''] = targets
  const more = targets.length > 2 ? ` +${String(targets.length - 2)}` : ''
  return `${[first, second].filter(Boolean).join(' ')}${more}`
}
