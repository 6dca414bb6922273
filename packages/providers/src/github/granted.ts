import { z } from 'zod'

import { GITHUB_PERMISSIONS, widerPermissions } from './permissions.ts'
import type { GithubScope } from './scope.ts'

/** The parts of GitHub's answer to a mint that matter. It may say more. */
export const mintAnswerSchema = z.object({
  token: z.string().min(1),
  expires_at: z.iso.datetime({ offset: true }).transform((text) => new Date(text)),
  permissions: z.record(z.string(), z.string()),
  repository_selection: z.string(),
  repositories: z.array(z.object({ id: z.int(), full_name: z.string() })).optional(),
})
export type MintAnswer = z.output<typeof mintAnswerSchema>

/** Why a token must not be handed out. */
export interface Excess {
  readonly message: string
  readonly details: Readonly<Record<string, unknown>>
}

/**
 * R65: compares what was granted with what was asked. Where the answer does not say, the worst is
 * assumed.
 */
export function excessOf(answer: MintAnswer, scope: GithubScope): Excess | null {
  const permissions = widerPermissions(answer.permissions, scope.permissions)
  if (permissions.length > 0)
    return {
      message: 'GitHub granted more permissions than were asked for',
      details: { reason: 'permissions_wider', permissions: permissions.map(nameOf) },
    }
  if (answer.repository_selection !== 'selected' || !onlyAsked(answer, scope))
    return {
      message: 'GitHub granted other repositories than were asked for',
      details: { reason: 'repositories_wider' },
    }
  return null
}

function onlyAsked({ repositories }: MintAnswer, scope: GithubScope): boolean {
  const names = new Set(scope.repositories.map((name) => `${scope.account}/${name}`))
  const ids = new Set(scope.repositoryIds)
  return (
    repositories !== undefined &&
    repositories.length > 0 &&
    repositories.every(({ id, full_name }) => ids.has(id) || names.has(full_name.toLowerCase()))
  )
}

/** Details are shown to callers, and may hold no text of GitHub's. */
function nameOf(permission: string): string {
  return Object.hasOwn(GITHUB_PERMISSIONS, permission) ? permission : 'unknown'
}

/** Reads the token out of an answer that does not parse, so that it can at least be revoked. */
export function salvageToken(body: unknown): string | null {
  if (typeof body === 'string') return /"token"\s*:\s*"([^"\\]+)"/.exec(body)?.[1] ?? null
  const parsed = z.object({ token: z.string().min(1) }).safeParse(body)
  return parsed.success ? parsed.data.token : null
}
