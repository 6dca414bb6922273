import { MintError, Secret, UnacceptableMintError, type Clock, type Minted } from '@mayfly/core'

import type { AskGithub, GithubReply } from './api.ts'
import type { SignAppJwt } from './app-jwt.ts'
import { excessOf, mintAnswerSchema, salvageToken, type MintAnswer } from './granted.ts'
import { writeHandle } from './handle.ts'
import { failedMint } from './refusal.ts'
import type { GithubScope } from './scope.ts'

export interface MintDeps {
  readonly apiUrl: URL
  readonly ask: AskGithub
  readonly signAppJwt: SignAppJwt
  readonly clock: Clock
}

/** An hour, whatever one asks for, and some drift between GitHub's clock and ours. */
export const TOKEN_LIFETIME_SECONDS = 3600 + 120

/** R63: one plain request per mint, with the App's JWT. Nothing caches or shares what comes back. */
export async function mintToken(
  deps: MintDeps,
  scope: GithubScope,
  signal: AbortSignal,
): Promise<Minted> {
  const reply = await requestToken(deps, scope, signal)
  const now = deps.clock.now()
  if (!reply.answered || reply.status < 200 || reply.status > 299) throw failedMint(reply, now)

  const parsed = mintAnswerSchema.safeParse(reply.body)
  if (parsed.success) return accept(deps, { answer: parsed.data, scope, now })

  const token = salvageToken(reply.body)
  if (token === null) throw failedMint(reply, now)
  const minted = mintedWith(deps, { token, now, expiresAt: latestDeath(now) })
  throw new UnacceptableMintError(minted, "GitHub's answer could not be understood", {
    details: { reason: 'answer_unreadable' },
  })
}

async function requestToken(
  { ask, signAppJwt, apiUrl }: MintDeps,
  scope: GithubScope,
  signal: AbortSignal,
): Promise<GithubReply> {
  const repositories =
    scope.repositoryIds.length > 0
      ? { repository_ids: scope.repositoryIds }
      : { repositories: scope.repositories }
  return ask(
    {
      route: 'POST /app/installations/{installation_id}/access_tokens',
      apiUrl,
      bearer: new Secret(await signed(signAppJwt)),
      parameters: {
        installation_id: scope.installationId,
        permissions: scope.permissions,
        ...repositories,
      },
    },
    signal,
  )
}

async function signed(signAppJwt: SignAppJwt): Promise<string> {
  try {
    return await signAppJwt()
  } catch (error) {
    if (error instanceof MintError) throw error
    // No cause: a signer is somebody else's code, and what it throws may quote its credentials.
    throw new MintError('none', 'provider_unavailable', "the App's JWT could not be signed", {
      retryable: true,
      details: { reason: 'app_key_unavailable' },
    })
  }
}

interface Acceptance {
  readonly answer: MintAnswer
  readonly scope: GithubScope
  readonly now: Date
}

function accept(deps: MintDeps, { answer, scope, now }: Acceptance): Minted {
  const minted = {
    ...mintedWith(deps, { token: answer.token, now, expiresAt: answer.expires_at }),
    reached: (answer.repositories ?? []).map(targetOf),
  }
  const excess = excessOf(answer, scope)
  if (excess) throw new UnacceptableMintError(minted, excess.message, { details: excess.details })
  if (answer.expires_at <= now || answer.expires_at > latestDeath(now))
    throw new UnacceptableMintError(
      { ...minted, credentialExpiresAt: later(answer.expires_at, latestDeath(now)) },
      "the token does not live for an hour: check this host's clock",
      { details: { reason: 'lifetime_unexpected' } },
    )
  return minted
}

/** The form of `targetsOf`: a scope by repository id does not know the repository's name. */
function targetOf({ full_name }: { readonly full_name: string }): string {
  return `github:repo:${full_name.toLowerCase()}`
}

function mintedWith(
  { apiUrl }: MintDeps,
  facts: { readonly token: string; readonly now: Date; readonly expiresAt: Date },
): Minted {
  const token = new Secret(facts.token)
  return {
    // What git, gh and every HTTP client take as Basic authentication.
    credential: { token, username: 'x-access-token' },
    credentialExpiresAt: facts.expiresAt,
    handle: writeHandle({ token, apiUrl, mintedAt: facts.now }),
  }
}

function latestDeath(now: Date): Date {
  return new Date(now.getTime() + TOKEN_LIFETIME_SECONDS * 1000)
}

function later(one: Date, other: Date): Date {
  return one > other ? one : other
}
