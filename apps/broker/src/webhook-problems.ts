import type { Webhook } from '@mayfly/core'
import { makeNetworkGuard, networksVariable, parseEnv, type Environment } from '@mayfly/runtime'
import { z } from 'zod'

const variables = z.object({ WEBHOOK_ALLOWED_NETWORKS: networksVariable.default([]) })

/** What the workers would refuse to send to, as far as the URL alone tells. */
export function makeWebhookProblems(env: Environment): (webhook: Webhook) => readonly string[] {
  const guard = makeNetworkGuard(parseEnv(variables, env).WEBHOOK_ALLOWED_NETWORKS)
  return ({ url }) => {
    const problem = guard.problemWith(url)
    return problem === null ? [] : [problem]
  }
}
