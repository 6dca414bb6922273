import { setTimeout as wait } from 'node:timers/promises'

import {
  DeleteRolePolicyCommand,
  GetRolePolicyCommand,
  PutRolePolicyCommand,
  type IAMClient,
} from '@aws-sdk/client-iam'

import { readFailure, revocationError } from './failure.ts'

/** The inline policies of roles, as the revoker may touch them. */
export interface RolePolicies {
  /** Null when the role has no such policy. */
  read(policy: RolePolicy, signal: AbortSignal): Promise<string | null>
  /** Says `full` when the role's inline policies leave no room for the document. */
  write(
    policy: RolePolicy & { readonly document: string },
    signal: AbortSignal,
  ): Promise<'written' | 'full'>
  remove(policy: RolePolicy, signal: AbortSignal): Promise<void>
}

export interface RolePolicy {
  readonly roleArn: string
  readonly name: string
}

const WRITE_ATTEMPTS = 4

export function makeRolePolicies(iam: IAMClient, timeoutMs: number): RolePolicies {
  const options = (signal: AbortSignal) => ({
    abortSignal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
  })
  const input = ({ roleArn, name }: RolePolicy) => ({
    RoleName: roleArn.split('/').at(-1),
    PolicyName: name,
  })

  async function put(
    policy: RolePolicy & { readonly document: string },
    signal: AbortSignal,
    attempt = 1,
  ): Promise<'written' | 'full'> {
    try {
      await iam.send(
        new PutRolePolicyCommand({ ...input(policy), PolicyDocument: policy.document }),
        options(signal),
      )
      return 'written'
    } catch (error) {
      const failure = readFailure(error)
      if (failure.code === 'LimitExceeded') return 'full'
      // The SDK does not retry this one: someone else is changing the same role just now.
      if (failure.code !== 'ConcurrentModification' || attempt === WRITE_ATTEMPTS)
        throw revocationError(failure, policy.roleArn)
    }
    await wait(50 * 2 ** attempt, undefined, { signal })
    return put(policy, signal, attempt + 1)
  }

  return {
    async read(policy, signal) {
      try {
        const { PolicyDocument } = await iam.send(
          new GetRolePolicyCommand(input(policy)),
          options(signal),
        )
        return decodeURIComponent(PolicyDocument ?? '')
      } catch (error) {
        const failure = readFailure(error)
        if (failure.code === 'NoSuchEntity') return null
        throw revocationError(failure, policy.roleArn)
      }
    },
    write: (policy, signal) => put(policy, signal),
    async remove(policy, signal) {
      try {
        await iam.send(new DeleteRolePolicyCommand(input(policy)), options(signal))
      } catch (error) {
        const failure = readFailure(error)
        if (failure.code !== 'NoSuchEntity') throw revocationError(failure, policy.roleArn)
      }
    },
  }
}
