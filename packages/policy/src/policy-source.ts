import { MayflyError, type PolicySet, type PolicySource } from '@mayfly/core'

export interface SwappablePolicySource extends PolicySource {
  /**
   * Puts a compiled set in force, for everyone at once. Returns false and changes nothing when it
   * is not newer than what is in force: notifications can arrive out of order.
   */
  swap(policySet: PolicySet): boolean
}

/** Holds the one set in force. Until the first one, `current()` throws `policy_unavailable`. */
export function makePolicySource(): SwappablePolicySource {
  let inForce: PolicySet | null = null
  return {
    current() {
      if (inForce) return inForce
      throw new MayflyError('policy_unavailable', 'no policy set is in force', { retryable: true })
    },
    swap(policySet) {
      if (inForce && policySet.version <= inForce.version) return false
      inForce = policySet
      return true
    },
  }
}
