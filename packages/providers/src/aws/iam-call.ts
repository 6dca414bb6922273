import { setTimeout as wait } from 'node:timers/promises'

import type { IAMClient } from '@aws-sdk/client-iam'

import { startDeadline } from '../deadline.ts'
import { readFailure, revocationError } from './failure.ts'

export interface IamCall<Output> {
  readonly roleArn: string
  readonly signal: AbortSignal
  send(iam: IAMClient, options: { readonly abortSignal: AbortSignal }): Promise<Output>
  /** Error codes that are answers to this question. */
  readonly answers?: readonly string[]
}

export type Answered<Output> =
  | { readonly refused: null; readonly output: Output }
  /** One of the call's `answers`. */
  | { readonly refused: string }

export type CallIam = <Output>(call: IamCall<Output>) => Promise<Answered<Output>>

const ATTEMPTS = 4

/** Calls IAM as the revoker. The SDK repeats what was throttled or got no answer, three times in all. */
export function makeCallIam(iam: IAMClient, timeoutMs: number): CallIam {
  async function attempt<Output>(call: IamCall<Output>, count: number): Promise<Answered<Output>> {
    const deadline = startDeadline(call.signal, timeoutMs)
    try {
      return { refused: null, output: await call.send(iam, { abortSignal: deadline.signal }) }
    } catch (error) {
      const failure = readFailure(error)
      const { code } = failure
      if (code !== null && call.answers?.includes(code)) return { refused: code }
      // The SDK does not retry this one: someone else is changing the same role just now.
      if (code !== 'ConcurrentModification' || count === ATTEMPTS)
        throw revocationError(failure, call.roleArn)
    } finally {
      deadline.stop()
    }
    await wait(50 * 2 ** count, undefined, { signal: call.signal })
    return attempt(call, count + 1)
  }
  return (call) => attempt(call, 1)
}

export function roleNameOf(roleArn: string): string {
  return roleArn.split('/').at(-1) ?? ''
}
