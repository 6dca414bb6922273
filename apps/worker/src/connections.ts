import type { Connection, Json, PolicySet, PolicySource } from '@mayfly/core'
import { makePolicySource, parseResourceDocuments } from '@mayfly/policy'
import type { StoredPolicySet } from '@mayfly/store'

export interface ConnectionSource extends PolicySource {
  /** Puts a set in force, unless a newer one is. */
  swap(stored: StoredPolicySet): void
}

/**
 * The policy set as far as the worker needs it: how to reach the providers. Templates and issuers
 * stay out, so that nothing wrong with them can keep a credential alive.
 */
export function makeConnectionSource(): ConnectionSource {
  const source = makePolicySource()
  return {
    current: () => source.current(),
    swap(stored) {
      source.swap(withConnectionsOnly(stored))
    },
  }
}

export function connectionsOf(documents: readonly Json[]): ReadonlyMap<string, Connection> {
  const connections = parseResourceDocuments(documents.filter(isConnection))
  return new Map(
    connections.flatMap((resource) =>
      resource.kind === 'Connection' ? [[resource.name, resource]] : [],
    ),
  )
}

function isConnection(document: Json): boolean {
  return (
    typeof document === 'object' &&
    document !== null &&
    Reflect.get(document, 'kind') === 'Connection'
  )
}

function withConnectionsOnly({ version, digest, documents }: StoredPolicySet): PolicySet {
  return {
    version,
    digest,
    connections: connectionsOf(documents),
    resources: [],
    issuers: [],
    agents: [],
    owners: new Map(),
    roleBindings: [],
    templates: new Map(),
  }
}
