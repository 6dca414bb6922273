import { AwsError } from './aws-error.ts'
import { makeDelayed, type Propagation } from './delayed.ts'
import { parsePolicy, type Statement } from './policy-document.ts'

/** All inline policies of one role together, whitespace not counted (IAM quotas). */
const MAX_AGGREGATE_CHARACTERS = 10_240

export interface InlinePolicies {
  readonly put: (name: string, document: string) => void
  readonly remove: (name: string) => void
  /** What GetRolePolicy answers: the last write, in effect or not. Throws `NoSuchEntity`. */
  readonly read: (name: string) => string
  /** What authorisation goes by at `at`: writes take effect with a delay. */
  readonly effective: (at: Date) => readonly Statement[]
}

interface Policy {
  readonly document: string
  readonly statements: readonly Statement[]
}

export function makeInlinePolicies(
  initial: Readonly<Record<string, unknown>>,
  propagation: Propagation,
): InlinePolicies {
  const first = Object.entries(initial).map(([name, document]): [string, Policy] => [
    name,
    policy(JSON.stringify(document)),
  ])
  const { latest, effective, write } = makeDelayed<ReadonlyMap<string, Policy>>(
    new Map(first),
    propagation,
  )

  function read(name: string): string {
    const found = latest().get(name)
    if (!found)
      throw new AwsError(404, 'NoSuchEntity', `The role policy with name ${name} cannot be found.`)
    return found.document
  }

  return {
    read,
    put(name, document) {
      const policies = new Map(latest()).set(name, policy(document))
      const size = [...policies.values()].reduce(
        (sum, one) => sum + one.document.replace(/\s/g, '').length,
        0,
      )
      if (size > MAX_AGGREGATE_CHARACTERS)
        throw new AwsError(
          409,
          'LimitExceeded',
          `Maximum policy size of ${String(MAX_AGGREGATE_CHARACTERS)} bytes exceeded for role.`,
        )
      write(policies)
    },
    remove(name) {
      read(name)
      write(new Map([...latest()].filter(([other]) => other !== name)))
    },
    effective: (instant) =>
      [...effective(instant).values()].flatMap(({ statements }) => statements),
  }
}

function policy(document: string): Policy {
  return { document, statements: parsePolicy(document) }
}
