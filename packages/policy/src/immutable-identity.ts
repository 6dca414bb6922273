import type { Agent, Issuer } from '@mayfly/core'

/** Claims that name something for good; names of repositories, groups and branches get new owners. */
const IMMUTABLE_CLAIMS = [
  'repository_id',
  'repository_owner_id',
  'project_id',
  'namespace_id',
  'organization_id',
  'pipeline_id',
  'enterprise_id',
  'oid',
]

/**
 * Whether every way in which this issuer's tokens can be the agent rests on an id that is never
 * given to somebody else (R6). A SPIFFE path is handed out by the trust domain's own registration.
 */
export function hasImmutableIdentity(agent: Agent, issuer: Issuer | undefined): boolean {
  if (issuer === undefined) return false
  if (issuer.type === 'spiffe') return true
  const identities = agent.identities.filter((identity) => identity.issuer === issuer.name)
  return (
    identities.length > 0 &&
    identities.every(({ claims }) => IMMUTABLE_CLAIMS.some((claim) => isPinned(claims[claim])))
  )
}

/** `.*` over an id claim names nothing. */
function isPinned(pattern: string | undefined): boolean {
  return pattern !== undefined && /^[A-Za-z0-9-]+(\|[A-Za-z0-9-]+)*$/.test(pattern)
}
