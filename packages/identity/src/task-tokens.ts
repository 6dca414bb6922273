import { randomUUID } from 'node:crypto'

import { MayflyError, Secret, subjectOf, type Clock, type Task, type Workload } from '@mayfly/core'
import { createRemoteJWKSet, customFetch, jwtVerify, SignJWT, type JSONWebKeySet } from 'jose'
import { z } from 'zod'

import { makeBoundedCache } from './bounded-cache.ts'
import { hasType, readCompactToken, type UnverifiedToken } from './compact-token.ts'
import { unauthenticated } from './identity-refusal.ts'
import { refusalFrom } from './jose-refusal.ts'
import { hasOnlyAudience } from './select-issuer.ts'
import { makeActiveKey } from './active-key.ts'
import { SIGNING_ALGORITHM, type SigningKeys } from './signing-keys.ts'

export interface TaskTokensOptions {
  readonly signingKeys: SigningKeys
  /** The broker's own id, as `iss` and as `aud`. */
  readonly issuer: string
  readonly clock: Clock
  /** Never more than 900, which is also the default. */
  readonly lifetimeSeconds?: number
  /** How old the broker's view of its own keys may get. Default 60. */
  readonly keysMaxAgeSeconds?: number
  /** After a look at the keys, the shortest time to the next for an unknown key id. Default 1. */
  readonly keysCooldownSeconds?: number
}

export interface IssuedTaskToken {
  readonly token: Secret
  readonly expiresAt: Date
}

export interface VerifiedTaskToken {
  readonly taskId: string
  /** `<issuer>#<sub>` of the workload token that the task was opened with. */
  readonly subject: string
  readonly agent: string
  readonly expiresAt: Date
}

export interface TaskTokens {
  /** Signs a token for an open task (draft-ietf-oauth-transaction-tokens). Throws `task_closed`. */
  issue(task: Task, workload: Workload): Promise<IssuedTaskToken>
  /** Throws `unauthenticated`. Says nothing of the task itself, which may have been closed since. */
  verify(token: string): Promise<VerifiedTaskToken>
  /** What others verify task tokens with. */
  jwks(): Promise<JSONWebKeySet>
}

const TYPE = 'txntoken+jwt'
const MAX_LIFETIME_SECONDS = 900
/** Brokers' clocks differ by this much, at most. */
const CLOCK_TOLERANCE_SECONDS = 5
const MAX_REMEMBERED = 10_000

const claimsSchema = z.looseObject({
  exp: z.int(),
  iat: z.int(),
  sub: z.string().min(1),
  txn: z.string().min(1),
  act: z.strictObject({ sub: z.string().min(1) }),
})

/** Makes the tokens that stand for a task on lease calls: signed by the broker, for the broker. */
export function makeTaskTokens(options: TaskTokensOptions): TaskTokens {
  const { signingKeys, clock } = options
  const remembered = makeBoundedCache<VerifiedTaskToken>(MAX_REMEMBERED, clock)
  const check = makeCheck(options)
  return {
    issue: makeIssue(options),
    async verify(compact) {
      const token = readCompactToken(compact)
      const known = remembered.get(token.sha256)
      if (known) return known
      const verified = await check(token)
      remembered.set(token.sha256, verified, verified.expiresAt)
      return verified
    },
    jwks: () => signingKeys.published(),
  }
}

function makeIssue(options: TaskTokensOptions): TaskTokens['issue'] {
  const { issuer, clock } = options
  const lifetimeSeconds = Math.min(
    options.lifetimeSeconds ?? MAX_LIFETIME_SECONDS,
    MAX_LIFETIME_SECONDS,
  )
  const activeKey = makeActiveKey(options.signingKeys, clock, options.keysMaxAgeSeconds ?? 60)
  return async (task, workload) => {
    const issuedAt = inSeconds(clock.now())
    const expiresAt = Math.min(issuedAt + lifetimeSeconds, inSeconds(task.notAfter))
    if (expiresAt <= issuedAt) throw new MayflyError('task_closed', 'the task has ended')
    const { kid, key } = await activeKey()
    const token = await new SignJWT({
      txn: task.id,
      act: { sub: task.agent },
      req_wl: subjectOf(workload.token),
    })
      .setProtectedHeader({ alg: SIGNING_ALGORITHM, kid, typ: TYPE })
      .setIssuer(issuer)
      .setAudience(issuer)
      .setSubject(subjectOf(task))
      .setIssuedAt(issuedAt)
      .setExpirationTime(expiresAt)
      .setJti(randomUUID())
      .sign(key)
    return { token: new Secret(token), expiresAt: new Date(expiresAt * 1000) }
  }
}

function makeCheck(
  options: TaskTokensOptions,
): (token: UnverifiedToken) => Promise<VerifiedTaskToken> {
  const { issuer, clock, signingKeys } = options
  // As for workload issuers, jose caches and looks again for unknown key ids; the URL is never used.
  const keySet = createRemoteJWKSet(new URL('https://keys.invalid'), {
    cacheMaxAge: (options.keysMaxAgeSeconds ?? 60) * 1000,
    cooldownDuration: (options.keysCooldownSeconds ?? 1) * 1000,
    [customFetch]: async () => Response.json(await published(signingKeys)),
  })
  return async (token) => {
    if (!hasType(token, [TYPE])) throw unauthenticated('type_not_accepted')
    const now = clock.now()
    const { payload } = await jwtVerify(token.compact, keySet, {
      algorithms: [SIGNING_ALGORITHM],
      audience: issuer,
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      currentDate: now,
      issuer,
      maxTokenAge: MAX_LIFETIME_SECONDS,
      requiredClaims: ['exp', 'iat', 'aud', 'sub', 'txn', 'act'],
    }).catch((error: unknown) => {
      throw refusalFrom(error, null)
    })
    return accept(payload, issuer, now)
  }
}

async function published(signingKeys: SigningKeys): Promise<JSONWebKeySet> {
  try {
    return await signingKeys.published()
  } catch (cause) {
    // Not being able to read our own keys says nothing of the token.
    if (cause instanceof MayflyError) throw cause
    throw new MayflyError('database_unavailable', 'the signing keys cannot be read', {
      retryable: true,
      cause,
    })
  }
}

function accept(
  payload: Readonly<Record<string, unknown>>,
  issuer: string,
  now: Date,
): VerifiedTaskToken {
  if (!hasOnlyAudience(payload['aud'], issuer)) throw unauthenticated('audience_wrong')
  const claims = claimsSchema.safeParse(payload)
  if (!claims.success) throw unauthenticated('claim_wrong')
  const { exp, sub, txn, act } = claims.data
  const expiresAt = new Date(exp * 1000)
  if (expiresAt <= now) throw unauthenticated('expired')
  return { taskId: txn, subject: sub, agent: act.sub, expiresAt }
}

function inSeconds(date: Date): number {
  return Math.floor(date.getTime() / 1000)
}
