import {
  preparsePolicySet,
  preparseSchema,
  statefulIsAuthorized,
  type AuthorizationAnswer,
  type SchemaJson,
  type StatefulAuthorizationCall,
} from '@cedar-policy/cedar-wasm/nodejs'

/** What one template is evaluated against: guardrails and its own policies, and their schema. */
export interface CedarProgram {
  /** Text by `@id`. */
  readonly policies: Readonly<Record<string, string>>
  readonly schema: SchemaJson<string>
}

export type CedarCall = Omit<
  StatefulAuthorizationCall,
  'preparsedPolicySetId' | 'preparsedSchemaName' | 'validateRequest'
>

/**
 * Cedar keeps what it has preparsed under a name, per thread, and never lets go of it: a name per
 * policy set would leak. So there is a fixed number of names, and programs take turns. They belong
 * to the thread because Cedar's cache does, which is why this is one of the few module variables.
 * A program that is evaluated is always the one in the slot: an older policy set still in use
 * simply takes a slot again.
 */
const slots = new Map<CedarProgram, string>()
const free = Array.from({ length: 128 }, (_, index) => `slot-${String(index)}`)

/** Throws when Cedar cannot read the program; what was in force elsewhere stays in force. */
export function evaluateCedar(program: CedarProgram, call: CedarCall): AuthorizationAnswer {
  const slot = slotOf(program)
  return statefulIsAuthorized({
    ...call,
    preparsedPolicySetId: slot,
    preparsedSchemaName: slot,
    validateRequest: true,
  })
}

function slotOf(program: CedarProgram): string {
  const taken = slots.get(program)
  if (taken !== undefined) {
    slots.delete(program) // and again below: a map keeps the order in which programs were last used
    slots.set(program, taken)
    return taken
  }
  const slot = free.pop() ?? takeOldest()
  try {
    load(slot, program)
  } catch (error) {
    free.push(slot)
    throw error
  }
  slots.set(program, slot)
  return slot
}

function takeOldest(): string {
  const [oldest] = slots
  if (!oldest) throw new Error('there are no slots')
  slots.delete(oldest[0])
  return oldest[1]
}

function load(slot: string, { schema, policies }: CedarProgram): void {
  const answers = [
    preparseSchema(slot, schema),
    preparsePolicySet(slot, { staticPolicies: { ...policies } }),
  ]
  if (answers.some(({ type }) => type === 'failure')) throw new Error('Cedar refused a program')
}
