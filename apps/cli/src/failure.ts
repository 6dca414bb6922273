import { BrokerUnreachableError, ProblemError, type Problem } from '@mayfly/protocol'

import { InvalidFilesError } from './policy-files.ts'
import { printable, quoted } from './printable.ts'
import { CannotRunError } from './run-child.ts'
import { UsageError } from './usage-error.ts'

/** What went wrong, for both audiences. */
export interface Failure {
  readonly exitStatus: number
  /** For people, on standard error. */
  readonly text: string
  /** For programs, with `--json`. */
  readonly body: { readonly error: Readonly<Record<string, unknown>> }
}

const REFUSED = 1
const USAGE = 2
/** `EX_TEMPFAIL` of sysexits: the same command may succeed later. */
const TRY_AGAIN = 75

/** The last line of defence: whatever a command threw becomes one message and an exit status. */
export function failureOf(error: unknown): Failure {
  if (error instanceof ProblemError) return problemFailure(error)
  if (error instanceof UsageError) return plain('usage', error.message, USAGE)
  if (error instanceof InvalidFilesError) {
    return plain('policy_set_invalid', error.message, REFUSED, { problems: error.problems })
  }
  if (error instanceof CannotRunError) return plain('cannot_run', error.message, error.exitStatus)
  if (error instanceof BrokerUnreachableError) {
    return plain('broker_unreachable', error.message, TRY_AGAIN)
  }
  return plain('unexpected', error instanceof Error ? error.message : String(error), REFUSED)
}

function plain(code: string, message: string, exitStatus: number, more: object = {}): Failure {
  const lines = message.split('\n').map(printable).join('\n')
  return {
    exitStatus,
    text: `mayfly: ${lines} (${code})\n`,
    body: { error: { code, message, retryable: exitStatus === TRY_AGAIN, ...more } },
  }
}

function problemFailure({ problem, retryAfterSeconds }: ProblemError): Failure {
  const { explanation } = problem
  const lines = [
    `mayfly: ${problem.detail ?? problem.title} (${problem.code})`,
    ...(explanation && explanation.message !== problem.detail ? [explanation.message] : []),
    ...(explanation?.rule ? [`rule: ${explanation.rule}`] : []),
    ...nearestCommand(problem),
    ...(retryAfterSeconds === undefined ? [] : [`try again in ${String(retryAfterSeconds)} s`]),
    `request: ${problem.requestId}`,
  ]
  return {
    exitStatus: problem.retryable ? TRY_AGAIN : REFUSED,
    text: lines.map((line, index) => `${index > 0 ? '  ' : ''}${printable(line)}\n`).join(''),
    body: { error: { ...problem, ...(retryAfterSeconds !== undefined && { retryAfterSeconds }) } },
  }
}

/** The request that would pass, ready to be pasted. */
function nearestCommand({ explanation }: Problem): readonly string[] {
  const nearest = explanation?.nearest
  if (!nearest) return []
  const words = [
    ...['--template', nearest.template],
    ...nearest.actions.flatMap((action) => ['--action', action]),
    ...Object.entries(nearest.parameters).flatMap(([key, value]) => ['--param', pair(key, value)]),
    ...['--ttl', `${String(nearest.ttlSeconds)}s`],
  ]
  return [`this would pass: mayfly run ${words.map(quoted).join(' ')} -- COMMAND`]
}

function pair(key: string, value: unknown): string {
  return typeof value === 'string' ? `${key}=${value}` : `${key}:=${JSON.stringify(value)}`
}
