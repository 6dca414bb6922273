import { MayflyError } from './errors.ts'
import type { ScopeTemplate } from './resources.ts'

export interface TtlQuestion {
  readonly template: Pick<ScopeTemplate, 'name' | 'ttl' | 'actions'>
  readonly actions: readonly string[]
  /** What the caller asked for; `undefined` means the template's default. */
  readonly ttlSeconds: number | undefined
  /** How long the task goes on. */
  readonly remainingSeconds: number
  /** The installation's own ceiling. */
  readonly ceilingSeconds: number
}

/**
 * The shortest of what was asked, the template's and the actions' limits, what is left of the task
 * and the installation's ceiling (R20). Throws `ttl_invalid`, `ttl_too_long`, or `task_closed` when
 * nothing is left.
 */
export function grantTtl(question: TtlQuestion): number {
  const { template, actions, ttlSeconds, remainingSeconds, ceilingSeconds } = question
  const asked = ttlSeconds ?? template.ttl.defaultSeconds
  if (!Number.isSafeInteger(asked) || asked < 1) {
    throw new MayflyError('ttl_invalid', 'ttlSeconds is a whole number of seconds, 1 or more')
  }
  if (asked > template.ttl.maxSeconds) {
    throw new MayflyError(
      'ttl_too_long',
      `${template.name} gives at most ${String(template.ttl.maxSeconds)} seconds`,
      { details: { maxSeconds: template.ttl.maxSeconds } },
    )
  }
  const left = Math.floor(remainingSeconds)
  if (left < 1) throw new MayflyError('task_closed', 'the task is over')
  const caps = actions.map((action) => template.actions[action]?.maxTtlSeconds ?? Infinity)
  return Math.min(asked, left, ceilingSeconds, ...caps)
}
