import type { Connection, PolicySet } from '@mayfly/core'
import { issuerProblems } from '@mayfly/identity'
import {
  compilePolicySet,
  makePolicySource,
  parseResourceDocuments,
  type ResolveReference,
  type SwappablePolicySource,
} from '@mayfly/policy'
import type { PolicySetStore, PolicySubscription, StoredPolicySet } from '@mayfly/store'

export interface PolicyFeed extends SwappablePolicySource {
  stop(): Promise<void>
}

export interface PolicyFeedOptions {
  readonly policySets: Pick<PolicySetStore, 'subscribe'>
  readonly resolve: ResolveReference
}

/** Follows the database: what is applied anywhere is in force here within a second (R46). */
export async function startPolicyFeed(options: PolicyFeedOptions): Promise<PolicyFeed> {
  const source = makePolicySource()
  const subscription: PolicySubscription = await options.policySets.subscribe((stored) => {
    // What does not compile is reported by the subscription, and the set in force stays.
    source.swap(compileStored(stored, options.resolve))
  })
  return { ...source, stop: () => subscription.stop() }
}

/**
 * A stored set was checked when it was applied. Its connections are not checked again: a key that
 * is missing here must not keep this broker from using the others.
 */
export function compileStored(stored: StoredPolicySet, resolve: ResolveReference): PolicySet {
  return compilePolicySet({
    version: stored.version,
    digest: stored.digest,
    resources: parseResourceDocuments(stored.documents),
    versions: stored.templateVersions,
    resolve,
    issuerProblems,
  })
}

/** The connections of any stored set, for leases that were issued under it. */
export function makeConnectionsOf(
  policySets: Pick<PolicySetStore, 'load'>,
): (version: number) => Promise<ReadonlyMap<string, Connection>> {
  return async (version) => {
    const stored = await policySets.load(version)
    const connections = parseResourceDocuments(stored?.documents ?? []).filter(
      (resource) => resource.kind === 'Connection',
    )
    return new Map(connections.map((connection) => [connection.name, connection]))
  }
}
