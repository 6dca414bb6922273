import { setTimeout } from 'node:timers/promises'

import { clockFrom, type Clock, type CredentialProvider } from '@mayfly/core'

import { makeAskGithub } from './api.ts'
import type { SignAppJwt } from './app-jwt.ts'
import type { PlainFetch } from '../plain-fetch.ts'
import { mintToken, TOKEN_LIFETIME_SECONDS } from './mint.ts'
import { revokeToken, verifyTokenDead } from './revoke.ts'
import { parseGithubScope, targetsOf } from './scope.ts'
import type { GithubSettings } from './settings.ts'

export interface GithubProviderOptions {
  readonly settings: GithubSettings
  readonly signAppJwt: SignAppJwt
  readonly clock: Clock
  /** Bounds every single request. */
  readonly timeoutMs: number
  readonly fetch?: PlainFetch
  readonly wait?: (milliseconds: number, signal: AbortSignal) => Promise<void>
}

/**
 * Mints GitHub App installation tokens: always for named repositories and permissions, always
 * living an hour, revoked with themselves. Credential: `{ token, username: 'x-access-token' }`.
 */
export function makeGithubProvider(options: GithubProviderOptions): CredentialProvider {
  const { settings, signAppJwt, clock, wait = waitFor } = options
  const ask = makeAskGithub(options)

  return {
    name: 'github',

    prepare(input) {
      const scope = parseGithubScope(input, settings)
      return {
        targets: targetsOf(scope),
        lifetimeSeconds: () => TOKEN_LIFETIME_SECONDS,
        handleBeforeMint: () => null,
        mint: ({ now = clock.now() }, signal) => {
          const deps = { apiUrl: settings.apiUrl, ask, signAppJwt, clock: clockFrom(now, clock) }
          return mintToken(deps, scope, signal)
        },
      }
    },

    revoke: (handle, signal, now) =>
      revokeToken({ ask, clock: clockFrom(now, clock), wait }, handle, signal),

    verifyDead: (handle, { now }, signal) =>
      verifyTokenDead({ ask, clock, wait }, { handle, now }, signal),
  }
}

async function waitFor(milliseconds: number, signal: AbortSignal): Promise<void> {
  await setTimeout(milliseconds, undefined, { signal })
}
