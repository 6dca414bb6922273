import type { PolicySource } from '@mayfly/core'
import {
  makeAgentMatcher,
  matchOperator,
  type TaskTokens,
  type TokenVerifier,
} from '@mayfly/identity'

import type { Verifiers } from './http/authenticate.ts'

export interface VerifiersDeps {
  readonly policies: PolicySource
  readonly tokenVerifier: TokenVerifier
  readonly taskTokens: Pick<TaskTokens, 'verify'>
}

/** The three classes of tokens, each against the policy set in force at that moment. */
export function makeVerifiers(deps: VerifiersDeps): Verifiers {
  const { policies, tokenVerifier, taskTokens } = deps
  const matchAgent = makeAgentMatcher()
  return {
    async workload(token) {
      const policySet = policies.current()
      const verified = await tokenVerifier.verify(token, 'workload', policySet.issuers)
      return { kind: 'workload', workload: matchAgent(verified, policySet) }
    },
    async task(token) {
      const { taskId, agent } = await taskTokens.verify(token)
      return { kind: 'task', taskId, agent }
    },
    async operator(token) {
      const policySet = policies.current()
      const verified = await tokenVerifier.verify(token, 'operator', policySet.issuers)
      return { kind: 'operator', operator: matchOperator(verified, policySet) }
    },
  }
}
