import { Secret, type Clock } from '@mayfly/core'
import { z } from 'zod'

import type { ResolveSecret } from '../aws/clients.ts'
import type { VaultApi, VaultReply, VaultRequest } from './api.ts'
import { failed } from './refusal.ts'
import type { VaultAuth, VaultSettings } from './settings.ts'

/** Sends requests in the broker's own name. Throws only when the broker cannot log in. */
export type VaultSession = (
  request: Omit<VaultRequest, 'token'>,
  signal: AbortSignal,
) => Promise<VaultReply>

export interface VaultSessionOptions {
  readonly api: VaultApi
  readonly settings: VaultSettings
  readonly resolveSecret: ResolveSecret
  readonly clock: Clock
}

export function makeVaultSession(options: VaultSessionOptions): VaultSession {
  const { api, settings, resolveSecret } = options
  const { auth } = settings
  if (auth.by === 'approle') return makeAppRoleSession(options, auth)
  return async (request, signal) => {
    // Asked for every time: Vault Agent and its like replace the token in its file.
    const token = await resolveSecret(auth.token)
    return api({ ...request, token: token.reveal() }, signal)
  }
}

interface Login {
  readonly token: Secret
  readonly renewAt: Date
}

const loginSchema = z.object({
  auth: z.object({ client_token: z.string().min(1), lease_duration: z.int().min(0) }),
})

function makeAppRoleSession(
  { api, resolveSecret, clock }: VaultSessionOptions,
  auth: Extract<VaultAuth, { by: 'approle' }>,
): VaultSession {
  let current: Promise<Login> | null = null

  async function login(): Promise<Login> {
    const secretId = await resolveSecret(auth.secretId)
    const startedAt = clock.now().getTime()
    const reply = await api(
      {
        operation: 'write',
        path: `auth/${auth.mount}/login`,
        data: { role_id: auth.roleId, secret_id: secretId.reveal() },
      },
      // Others may wait for the same login: it must not end with whoever came first.
      new AbortController().signal,
    )
    const parsed = loginSchema.safeParse(reply.answered ? reply.body : undefined)
    if (!reply.answered || reply.status !== 200 || !parsed.success) throw failed(LOGIN, reply)
    const { client_token: token, lease_duration: seconds } = parsed.data.auth
    return { token: new Secret(token), renewAt: new Date(startedAt + seconds * 800) }
  }

  function loggedIn(): Promise<Login> {
    const attempt = login()
    current = attempt
    attempt.catch(() => {
      if (current === attempt) current = null
    })
    return attempt
  }

  return async (request, signal) => {
    const kept = current
    const existing = kept === null ? null : await kept
    const fresh = existing === null || existing.renewAt <= clock.now()
    const { token } = fresh ? await loggedIn() : existing
    const reply = await api({ ...request, token: token.reveal() }, signal)
    if (fresh || !reply.answered || reply.status !== 403) return reply
    // Refused, so not carried out. Somebody may have revoked our token: a new one is worth a try.
    const again = await loggedIn()
    return api({ ...request, token: again.token.reveal() }, signal)
  }
}

const LOGIN = {
  doing: 'log the broker in with its AppRole',
  needs: 'anything at all (a login has none): check the mount',
  check: "the connection's roleId and secretId, and whether the secret id has expired",
}
