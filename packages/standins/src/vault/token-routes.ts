import { z } from 'zod'

import type { Reply, Route } from './call.ts'
import { mintForRole, mintPlain, tokenRequestSchema, type TokenRole } from './mint-token.ts'
import { permissionDenied, VaultRefusal, wrapped } from './refusal.ts'
import type { TokenStore, VaultToken } from './tokens.ts'

export interface TokenRouteParts {
  readonly tokens: TokenStore
  readonly roles: ReadonlyMap<string, TokenRole>
  readonly now: () => Date
  readonly hasSudo: (token: VaultToken, path: string) => boolean
}

const accessorSchema = z.object({ accessor: z.string().default('') })
const tokenSchema = z.object({ token: z.string().default('') })

/** `auth/token/*`. */
export function tokenRoutes(parts: TokenRouteParts): readonly Route[] {
  return [...mintRoutes(parts), ...lookupRoutes(parts), ...endRoutes(parts)]
}

function mintRoutes({ tokens, roles, hasSudo }: TokenRouteParts): readonly Route[] {
  return [
    write(/^auth\/token\/create$/, ({ body, token }) => {
      const asked = tokenRequestSchema.parse(body)
      const sudo = hasSudo(token, 'auth/token/create')
      if (asked.no_parent && !sudo) {
        throw new VaultRefusal(400, 'root or sudo privileges required to create orphan token')
      }
      return { auth: authOf(mintPlain(tokens, asked, { from: token, sudo })) }
    }),
    {
      sudo: true,
      ...write(/^auth\/token\/create-orphan$/, ({ body, token }) => {
        const asked = { ...tokenRequestSchema.parse(body), no_parent: true }
        return { auth: authOf(mintPlain(tokens, asked, { from: token, sudo: true })) }
      }),
    },
    write(/^auth\/token\/create\/([^/]+)$/, ({ body, token }, [name = '']) => {
      const role = roles.get(name)
      if (role === undefined) throw new VaultRefusal(400, `unknown role ${name}`)
      const asked = tokenRequestSchema.parse(body)
      return { auth: authOf(mintForRole(tokens, asked, { from: token, role: { name, ...role } })) }
    }),
  ]
}

function lookupRoutes({ tokens, now }: TokenRouteParts): readonly Route[] {
  const look = (token: VaultToken): Reply => ({ data: lookup(token, now()) })
  return [
    {
      pattern: /^auth\/token\/lookup-self$/,
      operation: 'read',
      handle: ({ token }) => look(token),
    },
    write(/^auth\/token\/lookup$/, ({ body }) => {
      const found = tokens.find(tokenSchema.parse(body).token)
      if (found === undefined) throw new VaultRefusal(403, 'bad token')
      return look(found)
    }),
    write(/^auth\/token\/lookup-accessor$/, ({ body }) => {
      const { accessor } = accessorSchema.parse(body)
      if (accessor === '') throw new VaultRefusal(400, wrapped('missing accessor'))
      const found = tokens.findByAccessor(accessor)
      if (found === undefined) throw new VaultRefusal(400, wrapped('invalid accessor'))
      return { data: { ...lookup(found, now()), id: '' } }
    }),
    {
      pattern: /^auth\/token\/accessors$/,
      operation: 'list',
      sudo: true,
      handle: () => ({ data: { keys: accessors(tokens) } }),
    },
  ]
}

function endRoutes({ tokens, now }: TokenRouteParts): readonly Route[] {
  return [
    write(/^auth\/token\/renew-self$/, ({ token }) => {
      if (!token.renewable) throw new VaultRefusal(400, 'lease is not renewable')
      if (token.ttlSeconds !== null) token.expiresAt = renewedUntil(token, now())
      return { auth: authOf(token) }
    }),
    write(/^auth\/token\/revoke-self$/, ({ token }) => revoked(tokens, token)),
    write(/^auth\/token\/revoke$/, ({ body }) => {
      const found = tokens.find(tokenSchema.parse(body).token)
      return found === undefined ? {} : revoked(tokens, found)
    }),
    write(/^auth\/token\/revoke-accessor$/, ({ body }) => {
      const { accessor } = accessorSchema.parse(body)
      const found = tokens.findByAccessor(accessor)
      // Older servers answer 400 `invalid accessor` instead; a fault makes this one do so.
      if (!found) return { data: null, warnings: ['No token found with this accessor'] }
      return revoked(tokens, found)
    }),
  ]
}

function write(pattern: RegExp, handle: Route['handle']): Route {
  return { pattern, operation: 'write', handle }
}

function accessors(tokens: TokenStore): readonly string[] {
  return tokens.live().flatMap(({ accessor }) => (accessor === '' ? [] : [accessor]))
}

function revoked(tokens: TokenStore, token: VaultToken): Reply {
  if (token.type === 'batch') throw permissionDenied()
  tokens.revoke(token)
  return {}
}

function renewedUntil(token: VaultToken, now: Date): Date {
  const wanted = now.getTime() + (token.ttlSeconds ?? 0) * 1000
  const ceiling = token.explicitMaxTtlSeconds
  if (ceiling === 0) return new Date(wanted)
  return new Date(Math.min(wanted, token.createdAt.getTime() + ceiling * 1000))
}

export function authOf(token: VaultToken): Readonly<Record<string, unknown>> {
  return {
    client_token: token.id,
    accessor: token.accessor,
    policies: token.policies,
    token_policies: token.policies,
    metadata: token.meta,
    lease_duration: token.ttlSeconds ?? 0,
    renewable: token.renewable,
    entity_id: '',
    token_type: token.type,
    orphan: token.parent === null,
    mfa_requirement: null,
    num_uses: token.numUses,
  }
}

function lookup(token: VaultToken, now: Date): Readonly<Record<string, unknown>> {
  const left = token.expiresAt === null ? 0 : token.expiresAt.getTime() - now.getTime()
  return {
    id: token.id,
    accessor: token.accessor,
    creation_time: Math.floor(token.createdAt.getTime() / 1000),
    creation_ttl: token.ttlSeconds ?? 0,
    display_name: 'token',
    entity_id: '',
    expire_time: token.expiresAt,
    explicit_max_ttl: token.explicitMaxTtlSeconds,
    issue_time: token.createdAt,
    meta: token.meta,
    num_uses: token.usesLeft,
    orphan: token.parent === null,
    path: token.path,
    policies: token.policies,
    renewable: token.renewable,
    ...(token.role === undefined ? {} : { role: token.role }),
    ttl: Math.floor(left / 1000),
    type: token.type,
  }
}
