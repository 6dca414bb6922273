import { MayflyError, type PolicySource } from '@mayfly/core'
import type { ReadinessResponse } from '@mayfly/protocol'

export interface ReadinessDeps {
  readonly ping: () => Promise<void>
  readonly policies: PolicySource
  readonly timeoutMs: number
}

/** The queue is not asked: with it gone, minting goes on and the sweeper revokes. */
export function makeReadiness(deps: ReadinessDeps): () => Promise<ReadinessResponse['checks']> {
  return async () => ({
    database: (await answers(deps)) ? 'ok' : 'failing',
    policySet: isInForce(deps.policies) ? 'ok' : 'failing',
  })
}

async function answers({ ping, timeoutMs }: ReadinessDeps): Promise<boolean> {
  const timeout = new Promise<boolean>((resolve) => {
    setTimeout(() => {
      resolve(false)
    }, timeoutMs).unref()
  })
  const answered = ping().then(
    () => true,
    () => false,
  )
  return Promise.race([answered, timeout])
}

function isInForce(policies: PolicySource): boolean {
  try {
    policies.current()
    return true
  } catch (error) {
    if (error instanceof MayflyError && error.code === 'policy_unavailable') return false
    throw error
  }
}
