import type { Clock, Death, RevocationHandle } from '@mayfly/core'

import type { AskGithub, GithubReply } from './api.ts'
import { readHandle, type GithubHandle } from './handle.ts'
import { failedOnToken, isThrottled } from './refusal.ts'

export interface RevokeDeps {
  readonly ask: AskGithub
  readonly clock: Clock
  readonly wait: (milliseconds: number, signal: AbortSignal) => Promise<void>
}

/**
 * Parts of GitHub can answer 401 to a token that is a few seconds old, until it has reached them.
 * Octokit's own App authentication waits as long.
 */
const SETTLING_MS = 5_000
const SETTLING_STEP_MS = 1_000

/**
 * Revokes a token with itself. 401 means that it is gone already, except while it is so young that
 * it may only not have arrived: then the request is repeated.
 */
export async function revokeToken(
  deps: RevokeDeps,
  handle: RevocationHandle,
  signal: AbortSignal,
): Promise<void> {
  const opened = readHandle(handle)
  // Counted as well as timed: the handle may come from a host whose clock is ahead.
  for (let waited = 0; ; waited += SETTLING_STEP_MS) {
    const reply = await askWith(deps, { ...opened, route: 'DELETE /installation/token' }, signal)
    if (reply.answered && reply.status === 204) return
    if (!reply.answered || reply.status !== 401) throw failedOnToken(reply, deps.clock.now())

    const age = deps.clock.now().getTime() - opened.mintedAt.getTime()
    if (age >= SETTLING_MS || waited >= SETTLING_MS) return
    await waitOrFail(deps, signal)
  }
}

/** R67: only a 401 to the token itself is proof. */
export async function verifyTokenDead(
  deps: RevokeDeps,
  question: { readonly handle: RevocationHandle; readonly now: Date },
  signal: AbortSignal,
): Promise<Death> {
  const probe = { ...readHandle(question.handle), route: 'GET /installation/repositories' }
  const reply = await askWith(deps, { ...probe, parameters: { per_page: 1 } }, signal)
  if (!reply.answered) throw failedOnToken(reply, deps.clock.now())
  if (reply.status === 401)
    return { dead: true, proof: 'GitHub answered 401 to GET /installation/repositories' }

  const retryAt = (seconds: number): Date => new Date(question.now.getTime() + seconds * 1000)
  if (reply.status >= 200 && reply.status <= 299)
    return { dead: false, reason: 'GitHub still accepts the token', retryAt: retryAt(2) }
  // A suspended installation's tokens work again when the suspension ends within their hour.
  if (reply.status === 403 && !isThrottled(reply))
    return {
      dead: false,
      reason: 'GitHub refuses the whole installation, which says nothing about the token',
      retryAt: retryAt(60),
    }
  throw failedOnToken(reply, deps.clock.now())
}

interface TokenRequest extends GithubHandle {
  readonly route: string
  readonly parameters?: Readonly<Record<string, unknown>>
}

function askWith(
  { ask }: RevokeDeps,
  { token, apiUrl, route, parameters = {} }: TokenRequest,
  signal: AbortSignal,
): Promise<GithubReply> {
  return ask({ route, apiUrl, bearer: token, parameters }, signal)
}

async function waitOrFail({ wait, clock }: RevokeDeps, signal: AbortSignal): Promise<void> {
  try {
    await wait(SETTLING_STEP_MS, signal)
  } catch (error) {
    if (!signal.aborted) throw error
    const gaveUp = { answered: false, sent: true, reason: 'aborted', systemCode: 'none' } as const
    throw failedOnToken(gaveUp, clock.now())
  }
}
