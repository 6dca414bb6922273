import type { Operator, PolicySet, VerifiedToken } from '@mayfly/core'

import { unauthenticated } from './identity-refusal.ts'

/** The person behind a verified operator token, with the roles bound to them, which may be none. */
export function matchOperator(token: VerifiedToken, policySet: PolicySet): Operator {
  const issuer = policySet.issuers.find(({ name }) => name === token.issuer)
  if (issuer?.tokenClass !== 'operator') throw unauthenticated('class_wrong', token.issuer)
  const bindings = policySet.roleBindings.filter(
    (binding) => binding.issuer === token.issuer && binding.subjects.includes(token.subject),
  )
  return {
    issuer: token.issuer,
    subject: token.subject,
    roles: [...new Set(bindings.map(({ role }) => role))],
  }
}
