import type { Issuer } from '@mayfly/core'

import { fetchableUrl } from './fetchable-url.ts'
import { isTrustDomain } from './spiffe-id.ts'

/** What a SPIFFE JWT-SVID may be signed with (SPIFFE JWT-SVID section 3). */
const SPIFFE_ALGORITHMS = ['256', '384', '512'].flatMap((bits) => [
  `RS${bits}`,
  `PS${bits}`,
  `ES${bits}`,
])
const OIDC_ALGORITHMS = [...SPIFFE_ALGORITHMS, 'EdDSA', 'Ed25519']

/**
 * What makes an Issuer unsafe to trust, for whoever validates a policy set; empty when nothing does.
 * The verifier refuses every token of an issuer that has a problem.
 */
export function issuerProblems(issuer: Issuer): readonly string[] {
  const problems = issuer.type === 'spiffe' ? spiffeProblems(issuer) : oidcProblems(issuer)
  const accepted = issuer.type === 'spiffe' ? SPIFFE_ALGORITHMS : OIDC_ALGORITHMS
  const refused = issuer.algorithms.filter((algorithm) => !accepted.includes(algorithm))
  if (issuer.algorithms.length === 0) problems.push('algorithms are missing')
  if (refused.length > 0) problems.push(`algorithms are not accepted: ${refused.join(', ')}`)
  if (issuer.audience === '') problems.push('the audience is missing')
  if (issuer.maxTokenAgeSeconds <= 0) problems.push('the token age is not positive')
  if (issuer.keys.from === 'url' && !fetchableUrl(issuer.keys.url)) {
    problems.push('the key URL is neither https nor loopback')
  }
  return problems
}

function spiffeProblems(issuer: Issuer): string[] {
  const problems = []
  if (!isTrustDomain(issuer.trustDomain ?? '')) problems.push('the trust domain is not valid')
  if (issuer.keys.from === 'discovery') problems.push('a trust domain has no discovery document')
  return problems
}

function oidcProblems(issuer: Issuer): string[] {
  const problems = []
  if (!issuer.issuer) problems.push('the issuer is missing')
  if (issuer.keys.from === 'discovery' && !fetchableUrl(issuer.issuer ?? '')) {
    problems.push('the issuer is neither https nor loopback, so its keys cannot be discovered')
  }
  return problems
}
