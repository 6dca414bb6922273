import { forbiddenDerivatives, yieldsBearerToken } from './non-revocable.ts'
import { invalid } from './scope-error.ts'
import type { AwsScope, AwsStatement } from './scope.ts'

/** STS counts an inline session policy and the policy ARNs together. */
const MAX_CHARACTERS = 2048

export interface SessionPolicyTimes {
  /** After this instant nothing is allowed, though the session lives on. */
  readonly sealedAt: Date
  readonly sessionSeconds: number
}

/**
 * Compiles the session policy. It ends by itself at `sealedAt`, whatever the session's own length
 * (which cannot be under 900 seconds): each Allow carries the instant (R75), and so does a Deny over everything,
 * which also binds managed policies and resource policies that name the session.
 */
export function compileSessionPolicy(scope: AwsScope, times: SessionPolicyTimes): string {
  const instant = times.sealedAt.toISOString().replace(/\.\d{3}Z$/, 'Z')
  const Statement = [
    ...scope.statements.map((statement) => ({
      Effect: 'Allow',
      Action: statement.actions,
      Resource: statement.resources,
      Condition: conditionsOf(statement, { ...times, instant }),
    })),
    deny('*', { DateGreaterThanEquals: { 'aws:CurrentTime': instant } }),
    ...(scope.policyArns.length > 0 ? [deny(forbiddenDerivatives(scope.allowNonRevocable))] : []),
  ]
  return JSON.stringify({ Version: '2012-10-17', Statement })
}

/** Throws `scope_invalid` when the compiled policy cannot fit, whenever the lease will end (R74). */
export function checkPolicyFits(scope: AwsScope): void {
  // Every instant of this form is as long as every other, and no session is longer than twelve hours.
  const policy = compileSessionPolicy(scope, { sealedAt: new Date(0), sessionSeconds: 43_200 })
  const characters = policy.length + scope.policyArns.join('').length
  if (characters > MAX_CHARACTERS)
    throw invalid(
      `the session policy needs ${String(characters)} characters and AWS takes ${String(MAX_CHARACTERS)}; ask for fewer actions`,
      'policy_too_long',
    )
}

function conditionsOf(
  { actions, conditions = {} }: AwsStatement,
  { instant, sessionSeconds }: SessionPolicyTimes & { readonly instant: string },
) {
  return {
    ...conditions,
    DateLessThan: { ...conditions['DateLessThan'], 'aws:CurrentTime': instant },
    // CodeArtifact has no condition key for its `durationSeconds`, which defaults to twelve hours.
    // The bearer token that STS makes for it has one; the other actions do not know it, hence IfExists.
    ...(actions.some(yieldsBearerToken)
      ? {
          NumericLessThanEqualsIfExists: {
            ...conditions['NumericLessThanEqualsIfExists'],
            'sts:DurationSeconds': String(sessionSeconds),
          },
        }
      : {}),
  }
}

function deny(
  Action: string | readonly string[],
  Condition?: Readonly<Record<string, Readonly<Record<string, string>>>>,
) {
  return { Effect: 'Deny', Action, Resource: '*', ...(Condition ? { Condition } : {}) }
}
