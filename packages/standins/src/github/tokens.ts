import { createHash, randomBytes } from 'node:crypto'

import type { GithubPermissions, Repository } from './installation.ts'

/** One installation token, for as long as the stand-in runs. */
export interface GithubIssuedToken {
  readonly token: string
  readonly installationId: number
  readonly account: string
  readonly permissions: GithubPermissions
  readonly repositorySelection: 'all' | 'selected'
  /** Full names. */
  readonly repositories: readonly string[]
  readonly repositoryIds: readonly number[]
  readonly issuedAt: Date
  readonly expiresAt: Date
  readonly revokedAt: Date | null
}

export interface TokenGrant {
  readonly appId: number
  readonly installationId: number
  readonly account: string
  readonly permissions: GithubPermissions
  readonly repositorySelection: 'all' | 'selected'
  readonly repositories: readonly Repository[]
}

export interface Tokens {
  issue(grant: TokenGrant): GithubIssuedToken
  find(token: string): GithubIssuedToken | undefined
  revoke(token: string): void
  isLive(token: GithubIssuedToken, now: Date): boolean
  all(): readonly GithubIssuedToken[]
}

const LIFETIME_MS = 3_600_000

export function makeTokens(clock: { now(): Date }): Tokens {
  const issued = new Map<string, GithubIssuedToken>()
  return {
    issue(grant) {
      const issuedAt = clock.now()
      // GitHub writes whole seconds.
      const expiresAt = new Date(Math.floor((issuedAt.getTime() + LIFETIME_MS) / 1000) * 1000)
      const token: GithubIssuedToken = {
        token: newToken(grant, expiresAt),
        installationId: grant.installationId,
        account: grant.account,
        permissions: grant.permissions,
        repositorySelection: grant.repositorySelection,
        repositories: grant.repositories.map(({ fullName }) => fullName),
        repositoryIds: grant.repositories.map(({ id }) => id),
        issuedAt,
        expiresAt,
        revokedAt: null,
      }
      issued.set(token.token, token)
      return token
    },
    find: (token) => issued.get(token),
    revoke(token) {
      const found = issued.get(token)
      if (found) issued.set(token, { ...found, revokedAt: found.revokedAt ?? clock.now() })
    },
    isLive: ({ revokedAt, expiresAt }, now) => revokedAt === null && expiresAt > now,
    all: () => [...issued.values()],
  }
}

/** The hash that GitHub's audit log carries as `hashed_token`. */
export function hashedToken(token: string): string {
  return createHash('sha256').update(token).digest('base64')
}

/**
 * The stateless form of 2026: `ghs_<app id>_<JWT>`, about 520 characters. Nobody but GitHub can
 * check the signature, so random bytes of the same length stand for it.
 */
function newToken({ appId, installationId }: TokenGrant, expiresAt: Date): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = {
    iss: 'github',
    sub: `installation:${String(installationId)}`,
    jti: randomBytes(12).toString('hex'),
    exp: expiresAt.getTime() / 1000,
  }
  const signature = randomBytes(256).toString('base64url')
  return `ghs_${String(appId)}_${part({ alg: 'RS256', typ: 'JWT' })}.${part(claims)}.${signature}`
}
