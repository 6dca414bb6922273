import { MayflyError } from '@mayfly/core'

/** One thing that is wrong with a set of resources. */
export interface ResourceProblem {
  /** `ScopeTemplate/github-feature-branch`. */
  readonly resource: string
  /** Where in the document: `spec.actions.repo.read`. */
  readonly path: string
  readonly message: string
  /** `file:line`, when the document came from a file. */
  readonly at?: string
}

/** Throws `policy_set_invalid` with every problem in `details.problems`, if there is any. */
export function refuseProblems(problems: readonly ResourceProblem[]): void {
  const [first, ...others] = problems
  if (!first) return
  const more = others.length > 0 ? ` (and ${String(others.length)} more)` : ''
  throw new MayflyError('policy_set_invalid', `${inWords(first)}${more}`, { details: { problems } })
}

function inWords({ resource, path, message, at }: ResourceProblem): string {
  const where = [at, resource, path].filter((part) => part !== undefined && part !== '').join(' ')
  return `${where}: ${message}`
}
