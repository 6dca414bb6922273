import { z } from 'zod'

import type { ChaosStack } from './chaos-stack.ts'
import { promised } from './row.ts'
import { TOLD_WITHIN_MS } from './settings.ts'

const eventSchema = z.array(
  z.object({ id: z.string(), type: z.string(), lease_id: z.string().nullable() }),
)

type Event = z.output<typeof eventSchema>[number]

/** Everything since the webhook was asked for, in the order of the audit log. */
const EVENTS = `SELECT 'evt_' || seq AS id, type, lease_id FROM audit_events
  WHERE (txid, seq) > (SELECT txid, seq FROM audit_events WHERE type = 'policy_set.applied'
    ORDER BY txid, seq LIMIT 1) ORDER BY txid, seq`

/** Holds that the witness is told of all that happened, in its order, and of nothing else. */
export async function mustBeTold(stack: ChaosStack): Promise<void> {
  const recorded = await recordedIn(stack)
  const untold = (): number => {
    const told = new Set(stack.witness.received.map(({ id }) => id))
    return recorded.filter(({ id }) => !told.has(id)).length
  }
  // However many have piled up behind a claim that died: more of them are told each time.
  for (let left = untold(); left > 0; left = untold()) {
    const what = `any of the ${String(left)} events is told that are left of ${String(recorded.length)}`
    await promised(what, () => untold() < left, TOLD_WITHIN_MS)
  }
  // Those that have come since, too: the database is asked after the witness.
  const told = firstTold(stack)
  const happened = await recordedIn(stack)
  const known = new Map(happened.map((event) => [event.id, text(event)]))
  const invented = told.filter((event) => known.get(event.id) !== text(event))
  if (invented.length > 0)
    throw new Error(`told of what never happened: ${invented.map(text).join(', ')}`)
  const inOrder = happened.slice(0, told.length).map(text)
  const wrong = told.findIndex((event, index) => inOrder[index] !== text(event))
  if (wrong >= 0) throw new Error(`told out of order: ${text(told[wrong] ?? NONE)}`)
}

const NONE: Event = { id: '', type: '', lease_id: null }

async function recordedIn(stack: ChaosStack): Promise<readonly Event[]> {
  const rows = await stack.rows(EVENTS)
  if (rows === null) throw new Error('the database is away')
  return eventSchema.parse(rows)
}

/** Each event once, where it came first. */
function firstTold({ witness }: ChaosStack): readonly Event[] {
  const told = new Map<string, Event>()
  for (const { id, type, data } of witness.received) {
    const { leaseId = null } = z.looseObject({ leaseId: z.string().optional() }).parse(data)
    if (!told.has(id)) told.set(id, { id, type, lease_id: leaseId })
  }
  return [...told.values()]
}

function text({ id, type, lease_id: leaseId }: Event): string {
  return `${id} ${type} ${leaseId ?? '-'}`
}
