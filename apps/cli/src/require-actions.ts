import { printable } from './printable.ts'
import type { TemplateRequest } from './requests.ts'
import { UsageError } from './usage-error.ts'

/** Nothing stands for "all actions": what is not named is not asked for. */
export function requireActions(requests: readonly TemplateRequest[]): void {
  if (requests.length === 0) throw new UsageError('name what you need with --template')
  const silent = requests.find(({ actions }) => actions.length === 0)
  if (silent) {
    throw new UsageError(`name the actions of ${printable(silent.template)} with --action`)
  }
}
