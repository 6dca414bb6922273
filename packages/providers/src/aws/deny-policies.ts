import type { IAMClient } from '@aws-sdk/client-iam'

import {
  DENY_POLICY_NAME,
  MAX_INLINE_CHARACTERS,
  MAX_MANAGED_CHARACTERS,
  OLDER_SESSIONS_POLICY_NAME,
} from './deny-policy.ts'
import { makeCallIam, roleNameOf } from './iam-call.ts'
import { makeManagedPolicies } from './managed-policies.ts'
import { makeInlinePolicies, type RolePolicies } from './role-policies.ts'

/** One of the policies that name sessions of a role. */
export interface DenyPolicy {
  readonly name: string
  readonly maxCharacters: number
}

/** The deny policies of roles: one inline, then managed ones, as many as the connection allows. */
export interface DenyPolicies extends RolePolicies {
  /** In the order in which they fill up. */
  of(roleArn: string): readonly DenyPolicy[]
}

export function makeDenyPolicies(
  iam: IAMClient,
  { extra, timeoutMs }: { readonly extra: number; readonly timeoutMs: number },
): DenyPolicies {
  const call = makeCallIam(iam, timeoutMs)
  const inline = makeInlinePolicies(call)
  const managed = makeManagedPolicies(call)
  // By name, so that what was once written stays readable when the connection allows fewer today.
  const kindOf = (name: string): RolePolicies =>
    name === DENY_POLICY_NAME || name === OLDER_SESSIONS_POLICY_NAME ? inline : managed
  return {
    of: (roleArn) => [
      { name: DENY_POLICY_NAME, maxCharacters: MAX_INLINE_CHARACTERS },
      ...Array.from({ length: extra }, (_, index) => ({
        // The names of managed policies are the account's, so the role is part of them.
        name: `${DENY_POLICY_NAME}-${roleNameOf(roleArn)}-${String(index + 1)}`,
        maxCharacters: MAX_MANAGED_CHARACTERS,
      })),
    ],
    read: (policy, signal) => kindOf(policy.name).read(policy, signal),
    write: (policy, signal) => kindOf(policy.name).write(policy, signal),
    remove: (policy, signal) => kindOf(policy.name).remove(policy, signal),
  }
}
