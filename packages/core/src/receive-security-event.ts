import type { Clock } from './clock.ts'
import type { Contain } from './contain.ts'
import { MayflyError } from './errors.ts'
import type { FreezeStore } from './freeze.ts'
import type { NewId } from './new-id.ts'
import type { PolicySource } from './policy-set.ts'
import { effectOf, type SecurityEvent } from './security-event.ts'
import {
  selectSecuritySubject,
  type SubjectSelection,
  type TasksOfToken,
} from './select-security-subject.ts'

/**
 * `repeated`: it had its effect before. `superseded`: the transmitter has said something newer of
 * this subject. `unmatched`: nobody here.
 */
export type SecurityOutcome =
  'applied' | 'released' | 'repeated' | 'superseded' | 'unmatched' | 'none'

export interface SecurityEventStore {
  /** Remembers the event, with its audit event. `finished` when it had its effect before. */
  receive(event: SecurityEvent): Promise<'unfinished' | 'finished'>
  /** Whether a newer event of the same type, about the same subject, had its effect. */
  isSuperseded(event: SecurityEvent): Promise<boolean>
  /** Freezes in force that earlier events of this type have put on this subject. */
  freezes(event: SecurityEvent): Promise<readonly string[]>
  /** Says what came of it, in the audit log too. From then on a repetition has no effect. */
  finish(event: SecurityEvent, outcome: SecurityOutcome): Promise<void>
  readonly tasksOfToken: TasksOfToken
}

export interface ReceiveSecurityEventDeps {
  readonly events: SecurityEventStore
  readonly freezes: Pick<FreezeStore, 'create' | 'lift'>
  readonly contain: Contain
  readonly policies: PolicySource
  readonly clock: Clock
  readonly newId: NewId
}

export type ReceiveSecurityEvent = (event: SecurityEvent) => Promise<SecurityOutcome>

/** As long as a task token lives: after this, going on takes a new proof of identity (R8). */
const STOP_SECONDS = 15 * 60

/**
 * Acts on a verified event, once. The event is stored first and finished last, so that one whose
 * effect broke off is acted on again when the transmitter repeats it; every effect bears that.
 */
export function makeReceiveSecurityEvent(deps: ReceiveSecurityEventDeps): ReceiveSecurityEvent {
  const { events } = deps
  return async (event) => {
    if ((await events.receive(event)) === 'finished') return 'repeated'
    const outcome = await act(deps, event)
    await events.finish(event, outcome)
    return outcome
  }
}

async function act(deps: ReceiveSecurityEventDeps, event: SecurityEvent): Promise<SecurityOutcome> {
  const effect = effectOf(event.occurrence)
  if (effect === 'none') return 'none'
  if (!event.subject) return 'unmatched'
  // A late "all is well" must not undo a newer alarm, nor a late alarm what was called off since.
  if (effect !== 'stop' && (await deps.events.isSuperseded(event))) return 'superseded'
  if (effect === 'release') return release(deps, event)

  const { environments } = event.issuer
  const selections = await selectSecuritySubject(
    event.subject,
    deps.policies.current(),
    deps.events.tasksOfToken,
  )
  let stopped = 0
  for (const selection of selections) {
    for (const environment of environments) {
      const selector = { ...selection.selector, environment }
      if (await stop(deps, event, { ...selection, selector })) stopped += 1
    }
  }
  return stopped > 0 ? 'applied' : 'unmatched'
}

/** Ends what is live, and freezes. False when there is nobody to do it to. */
async function stop(
  deps: ReceiveSecurityEventDeps,
  event: SecurityEvent,
  { selector, known }: SubjectSelection,
): Promise<boolean> {
  const by = causeOf(event)
  const reason = reasonOf(event)
  const until = freezeUntil(deps, event)
  const incident = `${event.occurrence.event} ${event.jti}`
  const contain = async (): Promise<boolean> => {
    const input = { selector, reason, incident, by, freezeUntil: until, idempotency: null }
    return deps.contain(input).then(() => true, nothingLive)
  }
  if (await contain()) return true
  if (!known) return false
  const id = deps.newId('frz')
  await deps.freezes.create({ id, selector, reason, createdBy: by, expiresAt: until })
  // What was minted between the two looks. From here on there is no more.
  await contain()
  return true
}

function nothingLive(error: unknown): false {
  if (error instanceof MayflyError && error.code === 'selector_matches_nothing') return false
  throw error
}

function freezeUntil(deps: ReceiveSecurityEventDeps, { occurrence }: SecurityEvent): Date | null {
  if (effectOf(occurrence) === 'hold') return null
  return new Date(deps.clock.now().getTime() + STOP_SECONDS * 1000)
}

async function release(
  deps: ReceiveSecurityEventDeps,
  event: SecurityEvent,
): Promise<SecurityOutcome> {
  const freezes = await deps.events.freezes(event)
  for (const id of freezes) {
    const lifting = deps.freezes.lift(id, { by: causeOf(event), reason: reasonOf(event) })
    await lifting.catch((error: unknown) => {
      // Somebody was faster, which is as good.
      if (!(error instanceof MayflyError) || error.code !== 'freeze_over') throw error
    })
  }
  return freezes.length > 0 ? 'released' : 'unmatched'
}

/** Names the transmitter and the token, in the place where operators are named. */
function causeOf({ issuer, jti }: SecurityEvent): string {
  return `${issuer.name}#${jti}`
}

function reasonOf({ occurrence, issuer }: SecurityEvent): string {
  return `${occurrence.event} from ${issuer.name}`
}
