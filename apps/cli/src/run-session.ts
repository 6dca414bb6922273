import {
  ProblemError,
  type Client,
  type CredentialText,
  type LeaseBody,
  type OpenedLease,
  type OpenTaskRequest,
} from '@mayfly/protocol'

import { withDeclaredActions } from './declared-actions.ts'
import { requireActions } from './require-actions.ts'
import type { TemplateRequest } from './requests.ts'
import { taskIdOf } from './task-id.ts'

/** The credentials of one run, and the end of them. */
export interface RunSession {
  /** Mints one credential per request. */
  lease(ttl: { readonly ttlSeconds?: number }, signal: AbortSignal): Promise<readonly OpenedLease[]>
  /** Revokes what was minted. Never throws: returns what it could not do, for people. */
  end(): Promise<readonly string[]>
}

/** A session inside a task that somebody else opened, and will close. */
export async function joinTask(
  client: Client,
  token: CredentialText,
  requests: readonly TemplateRequest[],
): Promise<RunSession> {
  const completed = await withDeclaredActions(requests, () =>
    client.getTask(taskIdOf(token), { token }),
  )
  const leases: LeaseBody[] = []
  return {
    lease: (ttl, signal) => leaseAll({ client, token, leases }, completed, { ttl, signal }),
    end: async () => {
      const ends = leases.map((lease) =>
        complaint(`lease ${lease.id}`, [lease], () => client.revokeLease(lease.id, { token })),
      )
      return (await Promise.all(ends)).flat()
    },
  }
}

export interface OwnTaskOptions {
  readonly intent: OpenTaskRequest['intent']
  /** Read anew on each call. */
  readonly workloadToken: () => Promise<CredentialText>
  readonly signal: AbortSignal
}

/** A session with a task of its own, which ends with it. */
export async function openTask(
  client: Client,
  requests: readonly TemplateRequest[],
  { intent, workloadToken, signal }: OwnTaskOptions,
): Promise<RunSession> {
  requireActions(requests)
  const first = await workloadToken()
  const request = { intent, declarations: [...requests] }
  const { task, taskToken } = await client.openTask(request, { token: first, signal })
  const leases: LeaseBody[] = []

  async function close(): Promise<void> {
    try {
      await client.closeTask(task.id, { token: taskToken })
    } catch (error) {
      if (!isUnauthenticated(error)) throw error
      // The run was longer than a task token lives. Whoever can still prove who they are may close.
      const fresh = await client.renewTask(task.id, { token: await workloadToken() })
      await client.closeTask(task.id, { token: fresh.taskToken })
    }
  }

  return {
    lease: (ttl, own) =>
      leaseAll({ client, token: taskToken, leases }, requests, { ttl, signal: own }),
    end: () => complaint(`task ${task.id}`, leases, close),
  }
}

interface Holder {
  readonly client: Client
  readonly token: CredentialText
  /** Grows as leases are minted, so that those before a failure are known. */
  readonly leases: LeaseBody[]
}

async function leaseAll(
  { client, token, leases }: Holder,
  requests: readonly TemplateRequest[],
  { ttl, signal }: { readonly ttl: { readonly ttlSeconds?: number }; readonly signal: AbortSignal },
): Promise<readonly OpenedLease[]> {
  const opened: OpenedLease[] = []
  for (const request of requests) {
    const one = await client.openLease({ ...request, ...ttl }, { token, signal })
    leases.push(one.lease)
    opened.push(one)
  }
  return opened
}

async function complaint(
  what: string,
  leases: readonly LeaseBody[],
  end: () => Promise<unknown>,
): Promise<readonly string[]> {
  try {
    await end()
    return []
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    const latest = leases
      .map(({ expiresAt }) => expiresAt)
      .toSorted()
      .at(-1)
    const until = latest === undefined ? '' : `; the broker revokes its credentials by ${latest}`
    return [`${what} could not be ended: ${why}${until}`]
  }
}

function isUnauthenticated(error: unknown): boolean {
  return error instanceof ProblemError && error.problem.code === 'unauthenticated'
}
