import { AUDIT_EVENTS, didYouMean, type Webhook } from '@mayfly/core'
import { makeNetworkGuard, networksVariable, parseEnv, type Environment } from '@mayfly/runtime'
import { z } from 'zod'

const variables = z.object({ WEBHOOK_ALLOWED_NETWORKS: networksVariable.default([]) })

export interface WebhookProblem {
  /** Where in the document. */
  readonly path: string
  readonly message: string
}

/** Events that nobody writes, and what the workers would refuse to send to as far as the URL tells. */
export function makeWebhookProblems(
  env: Environment,
): (webhook: Webhook) => readonly WebhookProblem[] {
  const guard = makeNetworkGuard(parseEnv(variables, env).WEBHOOK_ALLOWED_NETWORKS)
  return ({ url, events }) => {
    const problem = guard.problemWith(url)
    return [
      ...(problem === null ? [] : [{ path: 'spec.url', message: problem }]),
      ...events.flatMap((name, index) =>
        NAMES.has(name)
          ? []
          : [{ path: `spec.events.${String(index)}`, message: unknownEvent(name) }],
      ),
    ]
  }
}

const TYPES = Object.keys(AUDIT_EVENTS)
const GROUPS = TYPES.map((type) => `${type.split('.')[0] ?? ''}.*`)
const NAMES: ReadonlySet<string> = new Set(['*', ...GROUPS, ...TYPES])

function unknownEvent(name: string): string {
  const meant = didYouMean(name, NAMES)
  const others = meant === '' ? `; there are ${[...new Set(GROUPS)].join(', ')} and *` : meant
  return `${name} is not an event that Mayfly writes${others}`
}
