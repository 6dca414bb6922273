import { ConfigurationError } from '@mayfly/runtime'

/** How long a step of a lease may take before others take it for lost. */
export interface BrokerTimes {
  readonly mintDeadlineSeconds: number
  readonly deliveryDeadlineSeconds: number
  readonly visibilitySeconds: number
  readonly retryCapSeconds: number
}

interface TimeVariables {
  readonly PROVIDER_TIMEOUT_MS: number
  readonly MINT_DEADLINE_SECONDS?: number | undefined
  readonly DELIVERY_DEADLINE_SECONDS: number
  readonly REVOCATION_VISIBILITY_SECONDS?: number | undefined
  readonly REVOCATION_RETRY_CAP_SECONDS: number
}

/** Times that depend on each other: refused when they would take a step for lost that is under way. */
export function timesOf(read: TimeVariables): BrokerTimes {
  const timeoutSeconds = Math.ceil(read.PROVIDER_TIMEOUT_MS / 1000)
  const mintDeadlineSeconds = read.MINT_DEADLINE_SECONDS ?? 2 * timeoutSeconds + 10
  const visibilitySeconds = read.REVOCATION_VISIBILITY_SECONDS ?? 2 * timeoutSeconds + 10
  // A mint may begin in the first half of its deadline, and must be over in the second.
  if (mintDeadlineSeconds <= 2 * timeoutSeconds)
    throw refused('MINT_DEADLINE_SECONDS', 'must be more than twice PROVIDER_TIMEOUT_MS')
  if (visibilitySeconds <= timeoutSeconds)
    throw refused('REVOCATION_VISIBILITY_SECONDS', 'must be more than PROVIDER_TIMEOUT_MS')
  return {
    mintDeadlineSeconds,
    visibilitySeconds,
    deliveryDeadlineSeconds: read.DELIVERY_DEADLINE_SECONDS,
    retryCapSeconds: read.REVOCATION_RETRY_CAP_SECONDS,
  }
}

function refused(name: string, why: string): ConfigurationError {
  return new ConfigurationError(`invalid configuration\n  ${name}: ${why}`)
}
