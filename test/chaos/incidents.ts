import {
  BrokerUnreachableError,
  CredentialText,
  ProblemError,
  type ContainmentBody,
  type OpenedTask,
} from '@mayfly/protocol'

import type { ChaosStack } from './chaos-stack.ts'
import { issue } from './drive.ts'

/** Null when the broker died over it or failed. That it refuses is nothing that a row expects. */
export async function unlessBroken<Result>(asked: Promise<Result>): Promise<Result | null> {
  return asked.catch((error: unknown) => {
    if (error instanceof BrokerUnreachableError) return null
    if (error instanceof ProblemError && error.problem.status >= 500) return null
    throw error
  })
}

async function responder({ tokens }: ChaosStack): Promise<{ readonly token: CredentialText }> {
  return { token: new CredentialText(await tokens.person('responder')) }
}

/** Sent again with the same key while the answer was lost, as any client would. */
export async function containTask(stack: ChaosStack, taskId: string): Promise<ContainmentBody> {
  return stack.client.contain(
    { selector: { task: taskId }, reason: 'chaos', incident: `INC ${taskId}` },
    { ...(await responder(stack)), idempotencyKey: `contain-${taskId}` },
  )
}

export async function containmentsOf(
  stack: ChaosStack,
  taskId: string,
): Promise<readonly ContainmentBody[]> {
  const all = await stack.client.listContainments({ limit: 1000 }, await responder(stack))
  return all.filter(({ selector }) => selector['task'] === taskId)
}

export async function freezeTask(stack: ChaosStack, taskId: string): Promise<string> {
  const { id } = await stack.client.createFreeze(
    { selector: { task: taskId }, reason: 'chaos' },
    await responder(stack),
  )
  return id
}

export async function liftFreeze(stack: ChaosStack, freezeId: string): Promise<void> {
  await stack.client.liftFreeze(freezeId, 'chaos', await responder(stack))
}

/** Ids of the freezes that hold the task. */
export async function freezesOf(stack: ChaosStack, taskId: string): Promise<readonly string[]> {
  const query = { inForce: true, limit: 1000 }
  const all = await stack.client.listFreezes(query, await responder(stack))
  return all.filter(({ selector }) => selector['task'] === taskId).map(({ id }) => id)
}

/** Whether a mint is refused because of a freeze. */
export async function isFrozen(stack: ChaosStack, task: OpenedTask): Promise<boolean> {
  try {
    await issue(stack, task, { errand: 'vault', ttlSeconds: 2 })
    return false
  } catch (error) {
    return error instanceof ProblemError && error.problem.code === 'frozen'
  }
}
