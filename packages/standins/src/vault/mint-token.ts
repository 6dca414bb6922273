import { z } from 'zod'

import { duration } from './duration.ts'
import { VaultRefusal } from './refusal.ts'
import type { TokenStore, VaultToken } from './tokens.ts'

/** A token role, in Vault's own names. */
export interface TokenRole {
  readonly allowed_policies?: readonly string[]
  readonly allowed_policies_glob?: readonly string[]
  readonly orphan?: boolean
  readonly renewable?: boolean
  readonly token_type?: 'service' | 'batch' | 'default-service'
  readonly token_explicit_max_ttl?: number
  readonly token_num_uses?: number
  readonly token_no_default_policy?: boolean
}

export const tokenRequestSchema = z.object({
  policies: z.array(z.string()).optional(),
  ttl: duration.optional(),
  explicit_max_ttl: duration.default(0),
  num_uses: z.int().min(0).default(0),
  no_parent: z.boolean().default(false),
  no_default_policy: z.boolean().default(false),
  renewable: z.boolean().default(true),
  type: z.enum(['service', 'batch', '']).default(''),
  meta: z.record(z.string(), z.string()).nullable().default(null),
  period: duration.optional(),
})

export type TokenRequest = z.output<typeof tokenRequestSchema>

const SYSTEM_MAX_TTL_SECONDS = 32 * 24 * 3600

/** `auth/token/create` and `create-orphan`: a child with no more policies than its parent. */
export function mintPlain(
  tokens: TokenStore,
  asked: TokenRequest,
  { from, sudo }: { readonly from: VaultToken; readonly sudo: boolean },
): VaultToken {
  refuseLimited(from)
  const policies = withDefault(asked.policies ?? from.policies, !asked.no_default_policy)
  const inherited = policies.every((name) => name === 'default' || from.policies.includes(name))
  if (!sudo && !inherited) {
    throw new VaultRefusal(400, 'child policies must be subset of parent')
  }
  const explicitMax = asked.explicit_max_ttl
  return tokens.mint({
    policies,
    parent: asked.no_parent ? null : from,
    type: asked.type === 'batch' ? 'batch' : 'service',
    renewable: asked.type === 'batch' ? false : asked.renewable,
    ttlSeconds: asked.period ?? ttlOf(asked, explicitMax),
    explicitMaxTtlSeconds: explicitMax,
    numUses: asked.num_uses,
    meta: asked.meta,
    path: asked.no_parent ? 'auth/token/create-orphan' : 'auth/token/create',
  })
}

/** `auth/token/create/:role`: what the role says goes before what the request says. */
export function mintForRole(
  tokens: TokenStore,
  asked: TokenRequest,
  {
    from,
    role,
  }: { readonly from: VaultToken; readonly role: TokenRole & { readonly name: string } },
): VaultToken {
  refuseLimited(from)
  const wanted = asked.policies ?? []
  if (!wanted.every((name) => allowedBy(role, name))) {
    throw new VaultRefusal(400, "token policies must be subset of the role's allowed policies")
  }
  const ceilings = [asked.explicit_max_ttl, role.token_explicit_max_ttl ?? 0].filter(Boolean)
  const explicitMax = ceilings.length === 0 ? 0 : Math.min(...ceilings)
  const type = typeFor(role, asked)
  const noDefault = asked.no_default_policy || role.token_no_default_policy === true
  return tokens.mint({
    policies: withDefault(wanted, !noDefault),
    parent: role.orphan === true ? null : from,
    type,
    renewable: type === 'service' && asked.renewable && role.renewable !== false,
    ttlSeconds: ttlOf(asked, explicitMax),
    explicitMaxTtlSeconds: explicitMax,
    numUses: role.token_num_uses ?? asked.num_uses,
    meta: asked.meta,
    path: `auth/token/create/${role.name}`,
    role: role.name,
  })
}

function typeFor(role: TokenRole, asked: TokenRequest): 'service' | 'batch' {
  if (role.token_type === 'service' || role.token_type === 'batch') return role.token_type
  return asked.type === 'batch' ? 'batch' : 'service'
}

function allowedBy(role: TokenRole, policy: string): boolean {
  const { allowed_policies: exact = [], allowed_policies_glob: globs = [] } = role
  return (
    exact.includes(policy) ||
    globs.some((glob) =>
      glob.endsWith('*') ? policy.startsWith(glob.slice(0, -1)) : glob === policy,
    )
  )
}

function ttlOf(asked: TokenRequest, explicitMax: number): number {
  const ceiling = explicitMax === 0 ? SYSTEM_MAX_TTL_SECONDS : explicitMax
  return Math.min(asked.ttl ?? SYSTEM_MAX_TTL_SECONDS, ceiling)
}

function withDefault(policies: readonly string[], wanted: boolean): readonly string[] {
  const named = policies.includes('default') || !wanted ? policies : [...policies, 'default']
  return [...new Set(named)].sort()
}

function refuseLimited(from: VaultToken): void {
  if (from.numUses === 0) return
  throw new VaultRefusal(400, 'restricted use token cannot generate child tokens')
}
