import {
  DeleteRolePolicyCommand,
  GetRolePolicyCommand,
  PutRolePolicyCommand,
} from '@aws-sdk/client-iam'

import { roleNameOf, type CallIam } from './iam-call.ts'

export interface PolicyOfRole {
  readonly roleArn: string
  readonly name: string
}

/** What a policy says. Null when the role has no such policy. */
export type ReadPolicy = (policy: PolicyOfRole, signal: AbortSignal) => Promise<string | null>

/** Says `full` when the quotas of the role leave no room for the document. */
export type WritePolicy = (
  policy: PolicyOfRole & { readonly document: string },
  signal: AbortSignal,
) => Promise<'written' | 'full'>

export interface RolePolicies {
  readonly read: ReadPolicy
  readonly write: WritePolicy
  /** The role must not have the policy afterwards; it may never have had it. */
  remove(policy: PolicyOfRole, signal: AbortSignal): Promise<void>
}

/** The inline policies of roles, as the revoker may touch them. */
export function makeInlinePolicies(call: CallIam): RolePolicies {
  const input = ({ roleArn, name }: PolicyOfRole) => ({
    RoleName: roleNameOf(roleArn),
    PolicyName: name,
  })
  return {
    async read(policy, signal) {
      const answer = await call({
        ...{ roleArn: policy.roleArn, signal, answers: ['NoSuchEntity'] },
        send: (iam, options) => iam.send(new GetRolePolicyCommand(input(policy)), options),
      })
      return answer.refused === null ? decodeURIComponent(answer.output.PolicyDocument ?? '') : null
    },
    async write({ document, ...policy }, signal) {
      const { refused } = await call({
        ...{ roleArn: policy.roleArn, signal, answers: ['LimitExceeded'] },
        send: (iam, options) =>
          iam.send(
            new PutRolePolicyCommand({ ...input(policy), PolicyDocument: document }),
            options,
          ),
      })
      return refused === null ? 'written' : 'full'
    },
    async remove(policy, signal) {
      await call({
        ...{ roleArn: policy.roleArn, signal, answers: ['NoSuchEntity'] },
        send: (iam, options) => iam.send(new DeleteRolePolicyCommand(input(policy)), options),
      })
    },
  }
}
