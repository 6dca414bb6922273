import type { ProviderName } from '@mayfly/core'

/** A handle opens for its own lease at its own provider only: swapping rows gains nothing (R117). */
export function sealPurpose(leaseId: string, provider: ProviderName): string {
  return `lease-handle ${leaseId} ${provider}`
}
