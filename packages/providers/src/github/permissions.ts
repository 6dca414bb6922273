import { didYouMean } from '@mayfly/core'

export type PermissionLevel = 'read' | 'write' | 'admin'
export type Permissions = Readonly<Record<string, PermissionLevel>>

const READ = ['read'] as const
const WRITE = ['write'] as const
const READ_WRITE = ['read', 'write'] as const
const READ_WRITE_ADMIN = ['read', 'write', 'admin'] as const

/**
 * What an installation token can be given, and at which levels: the schema `app-permissions` of
 * GitHub's OpenAPI description.
 */
export const GITHUB_PERMISSIONS: Readonly<Record<string, readonly PermissionLevel[]>> = {
  actions: READ_WRITE,
  administration: READ_WRITE,
  artifact_metadata: READ_WRITE,
  attestations: READ_WRITE,
  checks: READ_WRITE,
  code_quality: READ_WRITE,
  codespaces: READ_WRITE,
  contents: READ_WRITE,
  dependabot_secrets: READ_WRITE,
  deployments: READ_WRITE,
  discussions: READ_WRITE,
  environments: READ_WRITE,
  issues: READ_WRITE,
  merge_queues: READ_WRITE,
  metadata: READ_WRITE,
  packages: READ_WRITE,
  pages: READ_WRITE,
  pull_requests: READ_WRITE,
  repository_custom_properties: READ_WRITE,
  repository_hooks: READ_WRITE,
  repository_projects: READ_WRITE_ADMIN,
  secret_scanning_alerts: READ_WRITE,
  secrets: READ_WRITE,
  security_events: READ_WRITE,
  single_file: READ_WRITE,
  statuses: READ_WRITE,
  vulnerability_alerts: READ_WRITE,
  workflows: WRITE,
  custom_properties_for_organizations: READ_WRITE,
  members: READ_WRITE,
  organization_administration: READ_WRITE,
  organization_custom_roles: READ_WRITE,
  organization_custom_org_roles: READ_WRITE,
  organization_custom_properties: READ_WRITE_ADMIN,
  organization_copilot_seat_management: READ_WRITE,
  organization_copilot_agent_settings: READ_WRITE,
  organization_announcement_banners: READ_WRITE,
  organization_events: READ,
  organization_hooks: READ_WRITE,
  organization_personal_access_tokens: READ_WRITE,
  organization_personal_access_token_requests: READ_WRITE,
  organization_plan: READ,
  organization_projects: READ_WRITE_ADMIN,
  organization_packages: READ_WRITE,
  organization_secrets: READ_WRITE,
  organization_self_hosted_runners: READ_WRITE,
  organization_user_blocking: READ_WRITE,
  email_addresses: READ_WRITE,
  followers: READ_WRITE,
  git_ssh_keys: READ_WRITE,
  gpg_keys: READ_WRITE,
  interaction_limits: READ_WRITE,
  profile: WRITE,
  starring: READ_WRITE,
  enterprise_custom_properties_for_organizations: READ_WRITE_ADMIN,
}

/** What is wrong with a permission or its level, in words for whoever wrote it; null when nothing is. */
export function permissionProblem(name: string, level: string): string | null {
  const levels = Object.hasOwn(GITHUB_PERMISSIONS, name) ? GITHUB_PERMISSIONS[name] : undefined
  if (!levels) {
    const meant = didYouMean(name, Object.keys(GITHUB_PERMISSIONS))
    return `GitHub has no permission ${name}${meant}`
  }
  if (levels.some((each) => each === level)) return null
  return `${name} has no level ${level} on GitHub: it has ${levels.join(', ')}`
}

const RANK: Readonly<Record<string, number>> = { read: 1, write: 2, admin: 3 }

/** Names of the permissions that were granted and not asked for. A level unknown to us is wider. */
export function widerPermissions(
  granted: Readonly<Record<string, string>>,
  asked: Permissions,
): readonly string[] {
  return Object.entries(granted)
    .filter(([name, level]) => (RANK[level] ?? Infinity) > allowedRank(name, asked))
    .map(([name]) => name)
}

function allowedRank(name: string, asked: Permissions): number {
  // GitHub adds metadata:read to every token.
  const implied = name === 'metadata' ? 1 : 0
  const level = Object.hasOwn(asked, name) ? asked[name] : undefined
  return Math.max(implied, RANK[level ?? ''] ?? 0)
}
