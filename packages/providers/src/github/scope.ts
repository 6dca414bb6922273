import { MayflyError, type Json } from '@mayfly/core'
import { z } from 'zod'

import { GITHUB_PERMISSIONS, type PermissionLevel, type Permissions } from './permissions.ts'
import { githubAccountSchema, type GithubSettings } from './settings.ts'

/** What one token may reach. Exactly one of the two lists of repositories is not empty. */
export interface GithubScope {
  readonly account: string
  readonly installationId: number
  readonly repositoryIds: readonly number[]
  /** Without their owner, in lower case. */
  readonly repositories: readonly string[]
  readonly permissions: Permissions
}

/** GitHub's own limit on both lists. */
const MAX_REPOSITORIES = 500

const repositoryId = z
  // Claims carry ids as text.
  .union([
    z.int().positive(),
    z
      .string()
      .regex(/^[1-9][0-9]{0,14}$/)
      .transform(Number),
  ])

const repositoryName = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,100}$/, 'must be a repository name without its owner')
  .refine((name) => name !== '.' && name !== '..', 'must be a repository name')
  .toLowerCase()

function distinct<Item extends z.ZodType>(item: Item) {
  return z
    .array(item)
    .min(1)
    .max(MAX_REPOSITORIES)
    .transform((items) => [...new Set(items)])
}

/** A rendered GitHub scope: `{ account, repositoryIds | repositories, permissions }`. */
export const githubScopeSchema = z
  .strictObject({
    account: githubAccountSchema,
    repositoryIds: distinct(repositoryId).optional(),
    repositories: distinct(repositoryName).optional(),
    permissions: z
      .record(z.string(), z.enum(['read', 'write', 'admin']))
      .refine((asked) => Object.keys(asked).length > 0, 'must ask for a permission')
      .superRefine((asked, context) => {
        for (const [name, level] of Object.entries(asked)) {
          if (levelsOf(name).includes(level)) continue
          context.addIssue({ code: 'custom', path: [name], message: problemWith(name) })
        }
      }),
  })
  .refine(
    ({ repositoryIds, repositories }) =>
      (repositoryIds === undefined) !== (repositories === undefined),
    'must have either repositoryIds or repositories',
  )

/**
 * R64: an empty list of repositories or permissions would mean "all" to GitHub, so nothing that
 * lacks either gets past here. Throws `scope_invalid`.
 */
export function parseGithubScope(scope: Json, settings: GithubSettings): GithubScope {
  const parsed = githubScopeSchema.safeParse(scope)
  if (!parsed.success)
    throw new MayflyError('scope_invalid', `GitHub scope: ${z.prettifyError(parsed.error)}`)

  const { account, repositoryIds = [], repositories = [], permissions } = parsed.data
  const installationId = settings.installations.get(account)
  if (installationId === undefined)
    throw new MayflyError('scope_invalid', `the connection has no installation on ${account}`, {
      details: { account, reason: 'account_without_installation' },
    })
  return { account, installationId, repositoryIds, repositories, permissions }
}

export function targetsOf(scope: GithubScope): readonly string[] {
  return [
    `github:org:${scope.account}`,
    ...scope.repositories.map((name) => `github:repo:${scope.account}/${name}`),
    ...scope.repositoryIds.map((id) => `github:repo-id:${String(id)}`),
    ...Object.entries(scope.permissions).map(
      ([name, level]) => `github:permission:${name}:${level}`,
    ),
  ].sort()
}

function levelsOf(name: string): readonly PermissionLevel[] {
  return Object.hasOwn(GITHUB_PERMISSIONS, name) ? (GITHUB_PERMISSIONS[name] ?? []) : []
}

function problemWith(name: string): string {
  const levels = levelsOf(name)
  return levels.length === 0
    ? 'is no permission of GitHub Apps'
    : `can only be ${levels.join(' or ')}`
}
