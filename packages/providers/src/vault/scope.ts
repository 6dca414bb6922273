import { MayflyError, type Json } from '@mayfly/core'
import { z } from 'zod'

import { mountOf, nameSchema, secretPathSchema } from './secret-path.ts'

/** What one credential may do: read and write secrets with a token, or be one database user. */
export type VaultScope = PathsScope | DatabaseScope

export interface PathsScope {
  readonly kind: 'paths'
  /** ACL path, with the wildcard where the template asked for a prefix, to capabilities. */
  readonly rules: ReadonlyMap<string, readonly VaultCapability[]>
  /** How many requests the token is good for; 0 is no limit. */
  readonly maxUses: number
}

export interface DatabaseScope {
  readonly kind: 'database'
  readonly mount: string
  readonly role: string
  /** The longest that the database role's users live by themselves. */
  readonly roleTtlSeconds: number
}

const CAPABILITIES = ['create', 'delete', 'list', 'patch', 'read', 'update'] as const
export type VaultCapability = (typeof CAPABILITIES)[number]

const pathSchema = z
  .strictObject({
    path: secretPathSchema,
    capabilities: z.array(z.enum(CAPABILITIES)).min(1),
    /** Everything below the path, and not the path itself. */
    prefix: z.boolean().default(false),
  })
  .refine(({ path, prefix }) => !prefix || path.includes('/'), 'a prefix must be below a mount')

const databaseSchema = z.strictObject({
  mount: secretPathSchema.default('database'),
  role: nameSchema,
  roleTtlSeconds: z.int().min(1).max(86_400).default(3600),
})

/** The provider document that templates render for Vault. */
export const vaultScopeSchema = z.union(
  [
    z.strictObject({
      paths: z.array(pathSchema).min(1).max(50),
      maxUses: z.int().min(1).max(1000).optional(),
    }),
    z.strictObject({ database: databaseSchema }),
  ],
  { error: 'must have paths, or a database, and not both' },
)

/** Throws `scope_invalid`. */
export function parseVaultScope(scope: Json): VaultScope {
  const parsed = vaultScopeSchema.safeParse(scope)
  if (!parsed.success) {
    throw new MayflyError(
      'scope_invalid',
      `this is not a Vault scope: ${z.prettifyError(parsed.error)}`,
    )
  }
  if ('database' in parsed.data) return { kind: 'database', ...parsed.data.database }
  const { paths, maxUses = 0 } = parsed.data
  return { kind: 'paths', rules: rulesOf(paths), maxUses }
}

/** Two entries for one path mean both: an action adds what it needs. */
function rulesOf(paths: readonly z.output<typeof pathSchema>[]): PathsScope['rules'] {
  const rules = new Map<string, readonly VaultCapability[]>()
  for (const { path, prefix, capabilities } of paths) {
    const pattern = prefix ? `${path}/*` : path
    const united = new Set([...(rules.get(pattern) ?? []), ...capabilities])
    rules.set(pattern, [...united].sort())
  }
  return rules
}

/** ACL rules of the token that is minted for a scope. */
export function aclOf(scope: VaultScope): PathsScope['rules'] {
  if (scope.kind === 'paths') return scope.rules
  return new Map([[`${scope.mount}/creds/${scope.role}`, ['read']]])
}

export function targetsOf(scope: VaultScope, namespace: string | null): readonly string[] {
  const inNamespace = (path: string) => (namespace === null ? path : `${namespace}/${path}`)
  const rules = aclOf(scope)
  const paths = [...rules.keys()]
  const capabilities = new Set([...rules.values()].flat())
  const mounts = scope.kind === 'database' ? [scope.mount] : paths.map(mountOf)
  return [
    ...paths.map((path) => `vault:path:${inNamespace(path)}`),
    ...new Set(mounts.map((mount) => `vault:mount:${inNamespace(mount)}`)),
    ...[...capabilities].map((capability) => `vault:capability:${capability}`),
  ]
}
