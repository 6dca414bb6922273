import { MayflyError } from './errors.ts'
import type { Declaration } from './task.ts'
import type { ParameterValues } from './template.ts'

export interface Asked {
  readonly template: string
  readonly actions: readonly string[]
  readonly parameters: ParameterValues
}

/**
 * Finds the declaration that covers all of a request: same template, no further actions, every
 * declared parameter equal. Two declarations are never combined, since their union may be wider
 * than either. Throws `not_declared` (R17, R18).
 */
export function attenuate(declarations: readonly Declaration[], asked: Asked): Declaration {
  const covering = declarations.find((declaration) => covers(declaration, asked))
  if (covering) return covering
  throw new MayflyError('not_declared', 'the task did not declare this when it was opened')
}

function covers(declaration: Declaration, asked: Asked): boolean {
  return (
    declaration.template === asked.template &&
    asked.actions.length > 0 &&
    asked.actions.every((action) => declaration.actions.includes(action)) &&
    Object.entries(declaration.parameters).every(
      ([name, value]) => Object.hasOwn(asked.parameters, name) && asked.parameters[name] === value,
    )
  )
}
