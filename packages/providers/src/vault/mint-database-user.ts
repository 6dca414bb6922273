import { MintError, Secret, UnacceptableMintError, type Minted } from '@mayfly/core'
import { z } from 'zod'

import { sealHandle } from './handle.ts'
import type { MintParts } from './mint-parts.ts'
import type { MintedToken } from './minted-token.ts'
import { failedMint, type Step } from './refusal.ts'
import { isRevoked, revocationOf } from './revoke-accessor.ts'
import type { DatabaseScope } from './scope.ts'

const userSchema = z.object({
  lease_id: z.string().min(1),
  lease_duration: z.int().min(1),
  data: z.object({ username: z.string().min(1), password: z.string().min(1) }),
})

interface Helper {
  readonly token: MintedToken
  readonly ttlSeconds: number
  readonly signal: AbortSignal
}

/**
 * Reads a database user with a token that can do nothing else and that nobody is given. The user's
 * lease is then a child of that token, so its accessor ends both.
 */
export async function becomeDatabaseUser(
  parts: MintParts,
  { mount, role, roleTtlSeconds }: DatabaseScope,
  { token, ttlSeconds, signal }: Helper,
): Promise<Minted> {
  const path = `${mount}/creds/${role}`
  const reply = await parts.api({ operation: 'read', path, token: token.client_token }, signal)
  const user = userSchema.safeParse(reply.answered ? reply.body : undefined)
  if (!reply.answered || reply.status !== 200 || !user.success) {
    throw await giveUp(parts, token, failedMint(readStep(path), reply))
  }
  const { lease_id: dynamicLease, lease_duration: userSeconds, data } = user.data
  const { accessor, lease_duration: tokenSeconds } = token
  // The database itself knows only the user's own end. It is the one that holds without Vault.
  const seconds = Math.max(userSeconds, tokenSeconds)
  const minted = {
    credentialExpiresAt: new Date(parts.clock.now().getTime() + seconds * 1000),
    handle: sealHandle(parts.settings, { by: 'accessor', accessor, dynamicLease }),
  }
  if (userSeconds > databaseLifetime({ roleTtlSeconds }, ttlSeconds)) {
    throw new UnacceptableMintError(
      { ...minted, credential: {} },
      `users of the database role ${role} live for ${String(userSeconds)} s: lower the role's default_ttl, or raise roleTtlSeconds in the template`,
    )
  }
  const { username, password } = data
  return { ...minted, credential: { username, password: new Secret(password) } }
}

/** The longest that a user can live, should Vault be gone when its token ends. */
export function databaseLifetime(
  { roleTtlSeconds }: Pick<DatabaseScope, 'roleTtlSeconds'>,
  ttlSeconds: number,
): number {
  return Math.max(roleTtlSeconds, ttlSeconds)
}

/** Ends the helper token. Only then can a refusal mean that nothing is left. */
async function giveUp(
  parts: MintParts,
  token: MintedToken,
  failure: MintError,
): Promise<MintError> {
  // Not with the caller's signal: it may be what ended the attempt.
  const signal = new AbortController().signal
  const ended = await revoked(parts, token.accessor, signal)
  if (failure.effect === 'none' && ended) return failure
  const { code, message, retryable, details, cause } = failure
  return new MintError('unknown', code, message, { retryable, details, cause })
}

async function revoked(
  { session }: MintParts,
  accessor: string,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    return isRevoked(await session(revocationOf(accessor), signal))
  } catch {
    // The broker could not log in. Whoever gets the failure will try again.
    return false
  }
}

function readStep(path: string): Step {
  return {
    doing: `make a user at ${path}`,
    needs: `a secrets engine at ${path}`,
    check: `that a database role exists at ${path}`,
  }
}
