import { CredentialText, type OpenedLease, type OpenedTask } from '@mayfly/protocol'

import { ERRAND_NAMES, ERRANDS, type ErrandName } from '../support/errands.ts'
import type { ChaosStack } from './chaos-stack.ts'
import { NotSet } from './row.ts'

/** A database user comes with the Vault token that read it, so four errands make five credentials. */
export const CREDENTIALS_OF_ALL = 5

export interface TaskWish {
  readonly ttlSeconds?: number
  /** By the issuer's clock, in milliseconds, where that is wrong. */
  readonly now?: number
}

export async function openTask(
  { client, tokens }: ChaosStack,
  { ttlSeconds, now = Date.now() }: TaskWish = {},
): Promise<OpenedTask> {
  const iat = Math.floor(now / 1000)
  const token = await tokens.githubActions('payments', { iat, exp: iat + 600 })
  return client.openTask(
    {
      intent: { reason: 'chaos' },
      declarations: Object.values(ERRANDS).map(({ template, actions }) => ({
        ...{ template, actions: [...actions], parameters: {} },
      })),
      ...(ttlSeconds === undefined ? {} : { ttlSeconds }),
    },
    { token: new CredentialText(token) },
  )
}

export function issue(
  { client }: ChaosStack,
  { taskToken }: OpenedTask,
  { errand, ttlSeconds }: { readonly errand: ErrandName; readonly ttlSeconds: number },
): Promise<OpenedLease> {
  const { template, actions, parameters } = ERRANDS[errand]
  return client.openLease(
    { template, actions: [...actions], parameters, ttlSeconds },
    { token: taskToken },
  )
}

/** One credential of each kind at once, whatever comes of it. Only those that were handed over. */
export async function issueAll(
  stack: ChaosStack,
  task: OpenedTask,
  ttlSeconds: number,
): Promise<readonly OpenedLease[]> {
  const asked = await Promise.allSettled(
    ERRAND_NAMES.map((errand) => issue(stack, task, { errand, ttlSeconds })),
  )
  return asked.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
}

/** The same, for rows that begin with all of them in good order. */
export async function mustIssueAll(
  stack: ChaosStack,
  task: OpenedTask,
  ttlSeconds: number,
): Promise<readonly OpenedLease[]> {
  const all = await issueAll(stack, task, ttlSeconds)
  if (all.length === ERRAND_NAMES.length) return all
  // The row will not end what it does not begin with.
  await stack.client.closeTask(task.task.id, { token: task.taskToken })
  throw new NotSet('not every credential was issued')
}
