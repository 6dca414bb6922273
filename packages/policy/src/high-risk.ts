import type { JsonObject, ProviderName } from '@mayfly/core'
import { z } from 'zod'

/** GitHub permissions that reach beyond the repository's contents, at any level (R70). */
const GITHUB = /^(workflows|administration|secrets|environments|members|organization_.*)$/

/**
 * AWS actions that yield credentials which outlive the session or cannot be revoked with it (R78):
 * role chaining and bearer tokens, IAM writes, database and registry tokens.
 */
const AWS = [
  'sts:*',
  'iam:*',
  'organizations:*',
  'signin:*',
  'rds-db:connect',
  'ecr:getauthorizationtoken',
  'ecr-public:getauthorizationtoken',
  'codeartifact:getauthorizationtoken',
]

const githubFragment = z.object({ permissions: z.record(z.string(), z.string()) })
const awsFragment = z.object({ statements: z.array(z.object({ actions: z.array(z.string()) })) })

/** The permissions in a template's fragment that a template has to accept in words. */
export function highRiskIn(provider: ProviderName, fragment: JsonObject): readonly string[] {
  if (provider === 'github') {
    const { permissions } = githubFragment.parse(fragment)
    return Object.entries(permissions)
      .filter(([name, level]) => GITHUB.test(name) || (name === 'actions' && level === 'write'))
      .map(([name, level]) => `${name}: ${level}`)
  }
  if (provider === 'aws') {
    const { statements } = awsFragment.parse(fragment)
    return statements.flatMap(({ actions }) => actions).filter(isHighRiskAwsAction)
  }
  return []
}

/** Two patterns may name the same action when their literal starts agree. */
function isHighRiskAwsAction(action: string): boolean {
  const [start = ''] = action.toLowerCase().split(/[*?]/)
  const isPattern = /[*?]/.test(action)
  return AWS.some((risky) => {
    const [riskyStart = ''] = risky.split('*')
    const reaches = isPattern && riskyStart.startsWith(start)
    return reaches || (risky.endsWith('*') ? start.startsWith(riskyStart) : start === risky)
  })
}
