import { MayflyError, MintError, type ErrorCode, type MayflyErrorOptions } from '@mayfly/core'

import { requestIdOf, type Answered, type GithubReply, type Unanswered } from './api.ts'

interface Problem {
  readonly code: ErrorCode
  readonly message: string
  readonly options: MayflyErrorOptions
  readonly effect: 'none' | 'unknown'
}

/** Says why a mint failed, and whether a token may exist all the same (R69). */
export function failedMint(reply: GithubReply, now: Date): MintError {
  const { effect, code, message, options } = reply.answered
    ? (commonProblem(reply, now) ?? mintRefusal(reply))
    : silence(reply)
  return new MintError(effect, code, message, options)
}

/** Says why GitHub would not revoke a token, or not say whether it is dead. */
export function failedOnToken(reply: GithubReply, now: Date): MayflyError {
  const { code, message, options } = reply.answered
    ? (commonProblem(reply, now) ?? tokenRefusal(reply))
    : silence(reply)
  return new MayflyError(code, message, options)
}

/** GitHub throttles with 403 as well as 429; without these headers a 403 is something else. */
export function isThrottled({ status, headers }: Answered): boolean {
  if (status === 429) return true
  return (
    status === 403 &&
    (headers['retry-after'] !== undefined || String(headers['x-ratelimit-remaining']) === '0')
  )
}

const MINT_REFUSALS: Readonly<Record<number, readonly [reason: string, message: string]>> = {
  401: [
    'app_not_accepted',
    "GitHub does not accept the App's signature: check the connection's appId, its private key, and this host's clock",
  ],
  403: [
    'installation_suspended',
    "GitHub refuses this installation: unsuspend it in the account's settings, or let this host through the account's IP allow list",
  ],
  404: [
    'installation_unknown',
    "GitHub does not know the installation: install the App on the account, or correct the connection's installation id",
  ],
  422: [
    'scope_not_granted',
    'GitHub will not grant that scope: give the installation the repository, let the account accept the permission, or narrow the template',
  ],
}

function mintRefusal(reply: Answered): Problem {
  const known = MINT_REFUSALS[reply.status]
  return known ? rejected(reply, known) : otherRefusal(reply)
}

function tokenRefusal(reply: Answered): Problem {
  if (reply.status !== 403) return otherRefusal(reply)
  const message =
    'GitHub refuses the whole installation: it is suspended, or an IP allow list keeps this host out; the token may work again'
  const problem = rejected(reply, ['installation_suspended', message])
  return {
    ...problem,
    code: 'provider_unavailable',
    options: { ...problem.options, retryable: true, retryAfterSeconds: 60 },
  }
}

/** What can come of any request: throttling, and a GitHub that is out of order. */
function commonProblem(reply: Answered, now: Date): Problem | null {
  if (isThrottled(reply)) return throttled(reply, now)
  if (reply.status >= 400 && reply.status < 500) return null
  const reason = reply.status >= 500 ? 'github_failed' : 'answer_unreadable'
  const message =
    reason === 'github_failed'
      ? 'GitHub failed: try again, and see its status page if that goes on'
      : "GitHub's answer could not be understood: check the connection's apiUrl and any proxy before it"
  return {
    code: 'provider_unavailable',
    message,
    effect: 'unknown',
    options: { retryable: true, details: detailsOf(reply, reason), cause: causeOf(reply) },
  }
}

function throttled(reply: Answered, now: Date): Problem {
  return {
    code: 'provider_throttled',
    message: "GitHub's rate limit for this App is reached: try again later",
    effect: 'none',
    options: {
      retryable: true,
      retryAfterSeconds: retryAfterSeconds(reply, now),
      details: detailsOf(reply, 'rate_limited'),
      cause: causeOf(reply),
    },
  }
}

/** GitHub asks for a minute when it names no time. Nothing it limits lasts more than an hour. */
function retryAfterSeconds({ headers }: Answered, now: Date): number {
  const after = Number(headers['retry-after'])
  const reset = Number(headers['x-ratelimit-reset']) - now.getTime() / 1000
  const exhausted = String(headers['x-ratelimit-remaining']) === '0'
  const seconds = Number.isFinite(after) ? after : exhausted && Number.isFinite(reset) ? reset : 60
  return Math.min(3600, Math.max(1, Math.ceil(seconds)))
}

function otherRefusal(reply: Answered): Problem {
  const message = `GitHub refused the request with status ${String(reply.status)}: check the connection's apiUrl`
  return rejected(reply, ['request_refused', message])
}

function rejected(reply: Answered, [reason, message]: readonly [string, string]): Problem {
  return {
    code: 'provider_rejected',
    message,
    effect: 'none',
    options: { details: detailsOf(reply, reason), cause: causeOf(reply) },
  }
}

const SILENCES: Readonly<Record<Unanswered['reason'], string>> = {
  no_connection:
    "no connection to GitHub could be made: check the connection's apiUrl, and this host's way to it",
  connection_lost: 'the connection to GitHub broke before its answer was complete',
  timeout: 'GitHub did not answer in time',
  aborted: 'the request to GitHub was given up',
}

function silence({ reason, sent, systemCode }: Unanswered): Problem {
  return {
    code: 'provider_unavailable',
    message: SILENCES[reason],
    effect: sent ? 'unknown' : 'none',
    options: {
      retryable: true,
      details: { reason },
      cause: new Error(`system code ${systemCode}`),
    },
  }
}

function detailsOf({ status }: Answered, reason: string): Readonly<Record<string, unknown>> {
  return { reason, status }
}

/** Made anew: an Octokit error would bring the request's headers and GitHub's text along. */
function causeOf(reply: Answered): Error {
  return new Error(`GitHub answered ${String(reply.status)}, request id ${requestIdOf(reply)}`)
}
