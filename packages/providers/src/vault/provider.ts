import type { Clock, CredentialProvider, Json, Prepared } from '@mayfly/core'

import type { ResolveSecret } from '../aws/clients.ts'
import { makePlainFetch, type PlainFetch } from '../plain-fetch.ts'
import { makeVaultApi } from './api.ts'
import { sealHandle } from './handle.ts'
import { mintFor } from './mint.ts'
import { databaseLifetime } from './mint-database-user.ts'
import type { MintParts } from './mint-parts.ts'
import { revokeWith } from './revoke.ts'
import { parseVaultScope, targetsOf, type VaultScope } from './scope.ts'
import { makeVaultSession } from './session.ts'
import type { VaultSettings } from './settings.ts'
import { deathOf } from './verify-dead.ts'

export interface VaultProviderOptions {
  readonly settings: VaultSettings
  /** Gives the broker's token, or its AppRole's secret id. Asked again whenever one is needed. */
  readonly resolveSecret: ResolveSecret
  readonly clock: Clock
  /** For each request; one mint makes up to four. */
  readonly timeoutMs: number
  /**
   * How long after a lost answer Vault may still carry the request out: its
   * `default_max_request_duration`, 90 seconds unless told.
   */
  readonly settleSeconds?: number
  /** Where TLS is special, bring one with its own dispatcher. */
  readonly fetch?: PlainFetch
}

/**
 * Vault or OpenBao: orphan service tokens on content-addressed ACL policies, and database users
 * whose lease is the child of such a token. Only paths that both products serve.
 */
export function makeVaultProvider(options: VaultProviderOptions): CredentialProvider {
  const { settings, clock, timeoutMs, settleSeconds = 90 } = options
  const api = makeVaultApi({ settings, timeoutMs, fetch: options.fetch ?? makePlainFetch() })
  const session = makeVaultSession({ api, settings, clock, resolveSecret: options.resolveSecret })
  const parts: MintParts = { api, session, settings, clock }
  return {
    name: 'vault',
    prepare: (scope: Json) => preparedFor(parts, parseVaultScope(scope)),
    revoke: (handle, signal) => revokeWith(parts, handle, signal),
    verifyDead: (handle, sent, signal) =>
      deathOf({ ...parts, settleSeconds }, { handle, sent, signal }),
  }
}

function preparedFor(parts: MintParts, scope: VaultScope): Prepared {
  return {
    targets: targetsOf(scope, parts.settings.namespace),
    // One second for the way: Vault starts to count when it writes the token.
    lifetimeSeconds: (ttlSeconds) =>
      1 + (scope.kind === 'database' ? databaseLifetime(scope, ttlSeconds) : ttlSeconds),
    handleBeforeMint: (lease) => sealHandle(parts.settings, { by: 'lease', lease }),
    mint: (request, signal) => mintFor(parts, scope, { request, signal }),
  }
}
