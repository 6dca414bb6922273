import type { LeakedLeaseBody, ReportLeakResponse } from '@mayfly/protocol'

import { leaseFacts } from './lease-facts.ts'
import { printable } from './printable.ts'

const WORDS: Readonly<Record<LeakedLeaseBody['outcome'], string>> = {
  dead_before: 'This credential was dead already.',
  dead_now: 'This credential is dead now.',
  may_be_live: 'This credential MAY STILL BE LIVE. Its revocation goes on.',
}

/** What a responder wants to know first: is it dead, whose was it, and what for. */
export function leakStory({ found, leases }: ReportLeakResponse): string {
  if (!found)
    return 'Mayfly never issued this credential. It may be live, and is somebody else’s.\n'
  return leases.map(oneStory).join('\n')
}

function oneStory({ outcome, lease, owner, subject, task, decision, events }: LeakedLeaseBody) {
  const rows: [string, string][] = [
    ['agent', `${lease.agent}, for ${owner}`],
    ['subject', subject],
    ['task', lease.taskId],
    ...(task ? ([['intent', intentOf(task)]] satisfies [string, string][]) : []),
    ['decision', `${decision.id} by ${decision.policies.join(', ')}`],
    ...(lease.revocationProof === null
      ? []
      : ([['proof', lease.revocationProof]] satisfies [string, string][])),
  ]
  const facts = rows.map(([name, value]) => `${name.padEnd(12)}${printable(value)}\n`).join('')
  const story = events.map(({ at, type }) => `  ${at}  ${printable(type)}\n`).join('')
  return `${WORDS[outcome]}\n${leaseFacts(lease)}${facts}\n${story}`
}

function intentOf({ intent }: NonNullable<LeakedLeaseBody['task']>): string {
  return intent.ticket === undefined ? intent.reason : `${intent.reason} (${intent.ticket})`
}
