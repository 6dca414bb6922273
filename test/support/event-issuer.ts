import type { Issuer } from '@mayfly/core'

/** An identity provider that sends security events. */
export const eventIssuer: Issuer = {
  kind: 'Issuer',
  name: 'idp-events',
  type: 'oidc',
  tokenClass: 'events',
  environments: ['development'],
  issuer: 'https://idp.example',
  audience: 'mayfly',
  algorithms: ['RS256'],
  keys: { from: 'discovery' },
  maxTokenAgeSeconds: 600,
  claims: {},
  requiredClaims: {},
}
