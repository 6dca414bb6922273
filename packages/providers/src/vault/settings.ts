import { MayflyError, type JsonObject } from '@mayfly/core'
import { z } from 'zod'

/** A Vault or OpenBao connection, as parsed from the `settings` of a Connection resource. */
export interface VaultSettings {
  /** Without a trailing slash or path. */
  readonly url: string
  /** Without slashes at its ends. */
  readonly namespace: string | null
  /** The token role that mints: orphan, service tokens, policies `mayfly-*` only. */
  readonly tokenRole: string
  readonly auth: VaultAuth
}

/** Who the broker is to Vault. Secrets are `env:NAME` or `file:/path`. */
export type VaultAuth =
  | { readonly by: 'token'; readonly token: string }
  | {
      readonly by: 'approle'
      readonly mount: string
      readonly roleId: string
      readonly secretId: string
    }

const reference = z.string().regex(/^(?:env:[A-Za-z_][A-Za-z0-9_]*|file:\/.+)$/, {
  error: 'must be a reference, env:NAME or file:/path, never the secret itself',
})
const segments = z.string().regex(/^[\w-]+(?:\/[\w-]+)*$/, 'must be names joined by single slashes')

// Tokens travel to this host, so plain HTTP is for loopback only.
const url = z
  .url({ protocol: /^https?$/ })
  .transform((text) => new URL(text))
  .refine(
    ({ protocol, hostname }) =>
      protocol === 'https:' || ['127.0.0.1', 'localhost', '[::1]'].includes(hostname),
    'must be https',
  )
  .refine(
    ({ username, password, pathname, search, hash }) =>
      `${username}${password}${search}${hash}` === '' && pathname === '/',
    'must have no user, path, query or fragment',
  )
  .transform(({ origin }) => origin)

const authSchema = z.union([
  z.strictObject({ token: reference }).transform(({ token }) => ({ by: 'token' as const, token })),
  z
    .strictObject({
      approle: z.strictObject({
        mount: segments.default('approle'),
        roleId: z.string().min(1).max(256),
        secretId: reference,
      }),
    })
    .transform(({ approle }) => ({ by: 'approle' as const, ...approle })),
])

const settingsSchema = z.strictObject({
  url,
  namespace: segments.nullable().default(null),
  tokenRole: z
    .string()
    .regex(/^[\w-]{1,128}$/, 'must be the name of a token role')
    .default('mayfly'),
  auth: authSchema,
})

/** Parses a connection's settings. Throws `policy_set_invalid`, and names fields but no values. */
export function parseVaultSettings(settings: JsonObject): VaultSettings {
  const parsed = settingsSchema.safeParse(settings)
  if (parsed.success) return parsed.data
  const problems = z.prettifyError(parsed.error)
  throw new MayflyError('policy_set_invalid', `the Vault connection is not valid: ${problems}`)
}
