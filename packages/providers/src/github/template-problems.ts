import type { ScopeTemplate } from '@mayfly/core'
import { z } from 'zod'

import { permissionProblem } from './permissions.ts'

const fragment = z.object({ permissions: z.record(z.string(), z.string()) })

/** Permissions in a template that GitHub does not have, or not at that level. */
export function githubTemplateProblems({
  provider,
  actions,
}: Pick<ScopeTemplate, 'provider' | 'actions'>): readonly {
  readonly path: string
  readonly message: string
}[] {
  if (provider !== 'github') return []
  return Object.entries(actions).flatMap(([action, written]) => {
    const { permissions } = fragment.parse(written.fragment)
    return Object.entries(permissions).flatMap(([name, level]) => {
      const message = permissionProblem(name, level)
      if (message === null) return []
      return [{ path: `spec.actions.${action}.permissions.${name}`, message }]
    })
  })
}
