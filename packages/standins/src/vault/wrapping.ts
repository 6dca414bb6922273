import { z } from 'zod'

import type { OpenRoute, Reply } from './call.ts'
import { duration } from './duration.ts'
import { VaultRefusal } from './refusal.ts'
import type { TokenStore, VaultToken } from './tokens.ts'

export interface Wrapping {
  readonly routes: readonly OpenRoute[]
  /** Keeps the reply and gives `wrap_info` in its place. */
  wrap(reply: Reply, path: string, ttl: string): Readonly<Record<string, unknown>>
}

const tokenSchema = z.object({ token: z.string().optional() })

/** Response wrapping: `X-Vault-Wrap-TTL` and `sys/wrapping/*`. Each token unwraps once. */
export function makeWrapping(tokens: TokenStore): Wrapping {
  const kept = new Map<VaultToken, { readonly reply: Reply; readonly path: string }>()

  function find(body: unknown, caller: VaultToken | undefined) {
    const { token: id } = tokenSchema.parse(body ?? {})
    const token = id === undefined ? caller : tokens.find(id)
    const found = token === undefined || !tokens.works(token) ? undefined : kept.get(token)
    if (token === undefined || found === undefined) {
      throw new VaultRefusal(400, 'wrapping token is not valid or does not exist')
    }
    return { token, ...found }
  }

  return {
    wrap(reply, path, ttl) {
      const ttlSeconds = duration.parse(ttl)
      const token = tokens.mint({
        policies: ['response-wrapping'],
        parent: null,
        type: 'service',
        renewable: false,
        ttlSeconds,
        explicitMaxTtlSeconds: ttlSeconds,
        numUses: 0,
        meta: null,
        path,
      })
      kept.set(token, { reply, path })
      const { id, accessor, createdAt } = token
      const made = { creation_time: createdAt, creation_path: path }
      return { token: id, accessor, ttl: ttlSeconds, ...made }
    },
    routes: [
      {
        pattern: /^sys\/wrapping\/unwrap$/,
        operation: 'write',
        handle: ({ body, token: caller }) => {
          const { token, reply } = find(body, caller)
          tokens.revoke(token)
          return reply
        },
      },
      {
        pattern: /^sys\/wrapping\/lookup$/,
        operation: 'write',
        handle: ({ body, token: caller }) => {
          const { token, path } = find(body, caller)
          const { createdAt, ttlSeconds } = token
          const made = { creation_time: createdAt, creation_ttl: ttlSeconds }
          return { data: { creation_path: path, ...made } }
        },
      },
    ],
  }
}
