import { MayflyError, type JsonObject } from '@mayfly/core'
import { z } from 'zod'

/** A GitHub connection, as parsed from the `settings` of a Connection resource. */
export interface GithubSettings {
  readonly apiUrl: URL
  /** The App's id or client id: the `iss` of its JWT. */
  readonly appId: string
  /** Where the App's private key is: `env:NAME` or `file:/path`. The caller resolves it. */
  readonly privateKey: string
  /** Installation ids by account, in lower case. */
  readonly installations: ReadonlyMap<string, number>
}

/** Names of organisations and users. GitHub ignores their case; one spelling is kept. */
export const githubAccountSchema = z
  .string()
  .max(64)
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]*$/, 'must be the name of an organisation or user')
  .toLowerCase()

/** App JWTs and tokens travel to this host, so plain HTTP is for loopback only. */
export const githubApiUrlSchema = z
  .url({ protocol: /^https?$/ })
  .transform((text) => new URL(text))
  .refine(
    ({ protocol, hostname }) =>
      protocol === 'https:' || ['127.0.0.1', 'localhost', '[::1]'].includes(hostname),
    'must be https',
  )
  .refine(
    ({ username, password, search, hash }) => `${username}${password}${search}${hash}` === '',
    'must have no user, query or fragment',
  )

const settingsSchema = z.strictObject({
  apiUrl: githubApiUrlSchema.default(new URL('https://api.github.com')),
  appId: z.union([z.int().positive().transform(String), z.string().regex(/^[A-Za-z0-9.]{1,64}$/)]),
  privateKey: z.string().regex(/^(?:env:[A-Za-z_][A-Za-z0-9_]*|file:\/.+)$/, {
    error: 'must be a reference, env:NAME or file:/path, never the key itself',
  }),
  installations: z
    .record(githubAccountSchema, z.int().positive())
    .refine((installations) => Object.keys(installations).length > 0, 'must name an installation'),
})

/** Parses a connection's settings. Throws `policy_set_invalid`, and names fields but no values. */
export function parseGithubSettings(settings: JsonObject): GithubSettings {
  const parsed = settingsSchema.safeParse(settings)
  if (!parsed.success) {
    const problems = z.prettifyError(parsed.error)
    throw new MayflyError('policy_set_invalid', `the GitHub connection is not valid: ${problems}`)
  }
  const { installations, ...rest } = parsed.data
  return { ...rest, installations: new Map(Object.entries(installations)) }
}
