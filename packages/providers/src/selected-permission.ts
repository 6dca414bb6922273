import { MayflyError, type Selector } from '@mayfly/core'

import { permissionProblem } from './github/permissions.ts'

/**
 * Throws `selector_invalid` for a GitHub permission that no token can have: a selector that is
 * misspelt would match nothing, and look as if nothing were there.
 */
export function assertSelectable({ permission }: Selector): void {
  const [, name, level] = /^(?!vault:)(\w+):(read|write|admin)$/.exec(permission ?? '') ?? []
  if (name === undefined || level === undefined) return
  const problems = LEVELS.slice(LEVELS.indexOf(level)).map((each) => permissionProblem(name, each))
  // Nobody has `workflows:read`, and it selects those who have more.
  if (problems.includes(null)) return
  throw new MayflyError('selector_invalid', `permission: ${problems[0] ?? ''}`)
}

const LEVELS = ['read', 'write', 'admin']
