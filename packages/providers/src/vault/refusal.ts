import { MayflyError, MintError, type ErrorCode, type MayflyErrorOptions } from '@mayfly/core'
import { z } from 'zod'

import type { Answered, Unanswered, VaultReply } from './api.ts'

/** What was being done, in words for whoever has to put it right. */
export interface Step {
  /** Follows "Vault would not": `create a token with the role mayfly`. */
  readonly doing: string
  /** What the broker's own policy must allow: `update on auth/token/create/mayfly`. */
  readonly needs: string
  /** What to look at when Vault says that the request is wrong. */
  readonly check: string
  /** Statuses below 500 that mean trouble which may pass, and not a bad request. */
  readonly passing?: readonly number[]
}

interface Problem {
  readonly code: ErrorCode
  readonly message: string
  readonly options: MayflyErrorOptions
  readonly effect: 'none' | 'unknown'
}

/** Says why a step failed, and whether Vault may have carried it out all the same. */
export function failedMint(step: Step, reply: VaultReply): MintError {
  const { effect, code, message, options } = problemOf(step, reply)
  return new MintError(effect, code, message, options)
}

export function failed(step: Step, reply: VaultReply): MayflyError {
  const { code, message, options } = problemOf(step, reply)
  return new MayflyError(code, message, options)
}

/** Runs what comes before the mint proper: whatever fails there, no credential exists. */
export async function beforeMint<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof MayflyError)) throw error
    const { code, message, retryable, retryAfterSeconds, details, cause } = error
    const after = retryAfterSeconds === undefined ? {} : { retryAfterSeconds }
    throw new MintError('none', code, message, { retryable, ...after, details, cause })
  }
}

const errorsSchema = z.object({ errors: z.array(z.string()) })

/** True when the answer is an error of Vault's with exactly this text, bare or in its wrapping. */
export function says(reply: Answered, text: string): boolean {
  const parsed = errorsSchema.safeParse(reply.body)
  if (!parsed.success) return false
  return parsed.data.errors.some((error) =>
    error.split('\n').some((line) => line.replace(/^\s*\* /, '').trim() === text),
  )
}

/** A standby that lags behind, a disaster recovery standby, a performance standby. */
const STANDBY_STATUSES = new Set([412, 472, 473])

function problemOf(step: Step, reply: VaultReply): Problem {
  if (!reply.answered) return silence(reply)
  const { status } = reply
  if (status === 429) return throttled(reply)
  if (status === 403) {
    const message = `Vault would not ${step.doing}: the broker's token has expired, or its policy lacks ${step.needs}`
    return rejected(reply, 'forbidden', message)
  }
  if (step.passing?.includes(status)) {
    const message = `Vault could not ${step.doing}: check ${step.check}`
    return unavailable(reply, 'vault_failed', message)
  }
  if (status >= 500 || STANDBY_STATUSES.has(status)) {
    const message = `Vault could not ${step.doing}: see whether it is sealed or in trouble (sys/health)`
    return unavailable(reply, 'vault_failed', message)
  }
  if (status >= 300) {
    const message = `Vault would not ${step.doing}: check ${step.check}`
    return rejected(reply, status < 400 ? 'redirected' : 'request_refused', message)
  }
  const message = `Vault's answer could not be understood when asked to ${step.doing}: check the connection's url and any proxy before it`
  return unavailable(reply, 'answer_unreadable', message)
}

function rejected(reply: Answered, reason: string, message: string): Problem {
  const options = { details: detailsOf(reply, reason), cause: causeOf(reply) }
  return { code: 'provider_rejected', message, effect: 'none', options }
}

function unavailable(reply: Answered, reason: string, message: string): Problem {
  const { retryAfterSeconds } = reply
  const options = {
    retryable: true,
    ...(retryAfterSeconds === null ? {} : { retryAfterSeconds }),
    details: detailsOf(reply, reason),
    cause: causeOf(reply),
  }
  return { code: 'provider_unavailable', message, effect: 'unknown', options }
}

function throttled(reply: Answered): Problem {
  return {
    code: 'provider_throttled',
    message: 'Vault limits how often it may be asked: try again later, or raise its rate quota',
    effect: 'none',
    options: {
      retryable: true,
      retryAfterSeconds: reply.retryAfterSeconds ?? 5,
      details: detailsOf(reply, 'rate_limited'),
      cause: causeOf(reply),
    },
  }
}

const SILENCES: Readonly<Record<Unanswered['reason'], string>> = {
  no_connection:
    "no connection to Vault could be made: check the connection's url, and this host's way to it",
  connection_lost: 'the connection to Vault broke before its answer was complete',
  timeout: 'Vault did not answer in time',
  aborted: 'the request to Vault was given up',
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

/** The status alone: what Vault writes beside it can repeat what it was sent. */
function causeOf({ status }: Answered): Error {
  return new Error(`Vault answered ${String(status)}`)
}
