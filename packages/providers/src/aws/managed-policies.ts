import {
  AttachRolePolicyCommand,
  CreatePolicyCommand,
  CreatePolicyVersionCommand,
  DeletePolicyVersionCommand,
  DetachRolePolicyCommand,
  GetPolicyVersionCommand,
  ListAttachedRolePoliciesCommand,
  ListPolicyVersionsCommand,
  type PolicyVersion,
} from '@aws-sdk/client-iam'

import { roleNameOf, type CallIam } from './iam-call.ts'
import type { PolicyOfRole, RolePolicies } from './role-policies.ts'

/**
 * Customer managed policies that belong to one role each. Such a policy is written as a new default
 * version (IAM keeps five), counts only while it is attached, and is detached rather than deleted.
 */
export function makeManagedPolicies(call: CallIam): RolePolicies {
  const versions = makeVersions(call)

  async function isAttached({ roleArn, name }: PolicyOfRole, signal: AbortSignal) {
    const RoleName = roleNameOf(roleArn)
    let Marker: string | undefined
    do {
      const page = await call({
        ...{ roleArn, signal },
        send: (iam, options) =>
          iam.send(new ListAttachedRolePoliciesCommand({ RoleName, Marker }), options),
      })
      if (page.refused !== null) return false
      const { AttachedPolicies = [], IsTruncated } = page.output
      if (AttachedPolicies.some(({ PolicyName }) => PolicyName === name)) return true
      Marker = IsTruncated ? page.output.Marker : undefined
    } while (Marker !== undefined)
    return false
  }

  async function create(policy: PolicyOfRole, PolicyDocument: string, signal: AbortSignal) {
    const { roleArn, name: PolicyName } = policy
    const Description = `Sessions of ${roleNameOf(roleArn)} that Mayfly has revoked`
    const { refused } = await call({
      ...{ roleArn, signal, answers: ['LimitExceeded'] },
      send: (iam, options) =>
        iam.send(new CreatePolicyCommand({ PolicyName, PolicyDocument, Description }), options),
    })
    return refused === null ? 'written' : 'full'
  }

  return {
    read: async (policy, signal) =>
      (await isAttached(policy, signal)) ? versions.readDefault(policy, signal) : null,
    async write({ document, ...policy }, signal) {
      const added = await versions.add(policy, document, signal)
      const written = added === 'absent' ? await create(policy, document, signal) : added
      if (written === 'full') return 'full'
      const { refused } = await call({
        ...{ roleArn: policy.roleArn, signal, answers: ['LimitExceeded'] },
        send: (iam, options) => iam.send(new AttachRolePolicyCommand(attachment(policy)), options),
      })
      return refused === null ? 'written' : 'full'
    },
    async remove(policy, signal) {
      await call({
        ...{ roleArn: policy.roleArn, signal, answers: ['NoSuchEntity'] },
        send: (iam, options) => iam.send(new DetachRolePolicyCommand(attachment(policy)), options),
      })
    },
  }
}

function makeVersions(call: CallIam) {
  async function list(policy: PolicyOfRole, signal: AbortSignal): Promise<PolicyVersion[]> {
    const answer = await call({
      ...{ roleArn: policy.roleArn, signal, answers: ['NoSuchEntity'] },
      send: (iam, options) =>
        iam.send(new ListPolicyVersionsCommand({ PolicyArn: policyArn(policy) }), options),
    })
    return answer.refused === null ? (answer.output.Versions ?? []) : []
  }

  async function create(policy: PolicyOfRole, PolicyDocument: string, signal: AbortSignal) {
    const input = { PolicyArn: policyArn(policy), PolicyDocument, SetAsDefault: true }
    const { refused } = await call({
      ...{ roleArn: policy.roleArn, signal, answers: ['LimitExceeded', 'NoSuchEntity'] },
      send: (iam, options) => iam.send(new CreatePolicyVersionCommand(input), options),
    })
    if (refused === null) return 'written'
    return refused === 'LimitExceeded' ? 'full' : 'absent'
  }

  async function removeOld(policy: PolicyOfRole, signal: AbortSignal): Promise<void> {
    for (const { VersionId, IsDefaultVersion } of await list(policy, signal)) {
      if (IsDefaultVersion) continue
      const input = { PolicyArn: policyArn(policy), VersionId }
      await call({
        ...{ roleArn: policy.roleArn, signal, answers: ['NoSuchEntity'] },
        send: (iam, options) => iam.send(new DeletePolicyVersionCommand(input), options),
      })
    }
  }

  return {
    async readDefault(policy: PolicyOfRole, signal: AbortSignal): Promise<string | null> {
      const current = (await list(policy, signal)).find((version) => version.IsDefaultVersion)
      if (!current) return null
      const input = { PolicyArn: policyArn(policy), VersionId: current.VersionId }
      const answer = await call({
        ...{ roleArn: policy.roleArn, signal, answers: ['NoSuchEntity'] },
        send: (iam, options) => iam.send(new GetPolicyVersionCommand(input), options),
      })
      if (answer.refused !== null) return null
      return decodeURIComponent(answer.output.PolicyVersion?.Document ?? '')
    },
    /** IAM says the same of a document that is too long and of a sixth version: make room and see. */
    async add(policy: PolicyOfRole, document: string, signal: AbortSignal) {
      const outcome = await create(policy, document, signal)
      if (outcome !== 'full') return outcome
      await removeOld(policy, signal)
      return create(policy, document, signal)
    },
  }
}

function attachment(policy: PolicyOfRole) {
  return { RoleName: roleNameOf(policy.roleArn), PolicyArn: policyArn(policy) }
}

function policyArn({ roleArn, name }: PolicyOfRole): string {
  const [, partition = '', , , account = ''] = roleArn.split(':')
  return `arn:${partition}:iam::${account}:policy/${name}`
}
