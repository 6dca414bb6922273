import type { Json } from '@mayfly/core'
import { z } from 'zod'

import { checkDerivatives, isResourceless } from './non-revocable.ts'
import { invalid } from './scope-error.ts'

export interface AwsStatement {
  readonly actions: readonly string[]
  readonly resources: readonly string[]
  /** Operator → condition key → value or values, as in an IAM policy. */
  readonly conditions?:
    Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>> | undefined
}

/** What a lease on AWS may do, as rendered from its template. */
export interface AwsScope {
  readonly roleArn: string
  readonly statements: readonly AwsStatement[]
  /** Managed policies that widen the statements, within the role. */
  readonly policyArns: readonly string[]
  /** The template accepts that something obtained with the credential outlives it (R78). */
  readonly allowNonRevocable: boolean
}

// What STS accepts in a policy, without spaces.
const printable = /^[\u0021-\u007e]+$/
const action = z.string().regex(/^[a-z0-9-]+:[A-Za-z0-9*?]+$/, 'must be <service>:<Action>')
const resource = z.union([
  z.literal('*'),
  z
    .string()
    .regex(printable)
    .regex(
      /^arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:(?:\d{12}|aws)?:[^*?].*$/,
      'must be an ARN that names its service and more than *',
    ),
])
const operator = z
  .string()
  .regex(
    /^(?:ForAllValues:|ForAnyValue:)?(?:(?:String|Numeric|Date|Arn|Null|Bool|IpAddress|NotIpAddress)(?:Not)?(?:Equals|Like|LessThan|GreaterThan)?(?:Equals|IgnoreCase)?)(?:IfExists)?$/,
    'is not an IAM condition operator',
  )
const conditionValue = z.string().regex(/^[\u0020-\u00ff]+$/)

const scopeSchema = z.strictObject({
  roleArn: z
    .string()
    .regex(/^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/, 'must be the ARN of a role'),
  statements: z
    .array(
      z.strictObject({
        actions: z.array(action).min(1),
        resources: z.array(resource).min(1),
        conditions: z
          .record(
            operator,
            z.record(conditionValue, z.union([conditionValue, z.array(conditionValue).min(1)])),
          )
          .optional(),
      }),
    )
    .min(1),
  policyArns: z
    .array(z.string().regex(/^arn:aws[a-z-]*:iam::(?:\d{12}|aws):policy\/[\w+=,.@/-]+$/))
    .max(10)
    .default([]),
  allowNonRevocable: z.boolean().default(false),
})

/** Checks a rendered scope against what AWS accepts and what this connection allows (R73, R74, R78). */
export function parseAwsScope(json: Json, allowedRoles: readonly string[]): AwsScope {
  const parsed = scopeSchema.safeParse(json)
  if (!parsed.success) throw invalid(z.prettifyError(parsed.error), 'malformed')
  const scope: AwsScope = parsed.data
  if (!allowedRoles.includes(scope.roleArn))
    throw invalid(
      `role ${scope.roleArn} is not among the roles that this connection allows`,
      'role_not_allowed',
    )
  for (const statement of scope.statements) checkStatement(statement)
  checkDerivatives(
    scope.statements.flatMap(({ actions }) => actions),
    scope.allowNonRevocable,
  )
  return scope
}

function checkStatement({ actions, resources, conditions = {} }: AwsStatement): void {
  const everything = actions.find((name) => /^[^:]+:\*+$/.test(name))
  if (everything !== undefined)
    throw invalid(`${everything} is every action of the service: name them`, 'wildcard_action')
  // Some actions know no resources; for them, and only for them, IAM wants `*`.
  if (resources.includes('*') && !actions.every(isResourceless))
    throw invalid('a resource cannot be * alone: name what the task needs', 'wildcard_resource')
  const keys = Object.values(conditions).flatMap((operands) => Object.keys(operands))
  if (keys.some((key) => key.toLowerCase() === 'aws:currenttime'))
    throw invalid('aws:CurrentTime is set from the end of the lease', 'reserved_condition')
}

/** What the scope reaches, as an incident responder would look for it. */
export function targetsOf({
  roleArn,
  statements,
  policyArns,
  allowNonRevocable,
}: AwsScope): readonly string[] {
  const resources = statements.flatMap((statement) => statement.resources)
  const accounts = [roleArn, ...resources]
    .map((arn) => arn.split(':')[4] ?? '')
    .filter((id) => /^\d{12}$/.test(id))
  return [
    ...new Set([
      ...accounts.map((id) => `aws:account:${id}`),
      `aws:role:${roleArn}`,
      ...statements.flatMap(({ actions }) =>
        actions.map((name) => `aws:action:${name.toLowerCase()}`),
      ),
      ...resources.map((arn) => `aws:resource:${containerOf(arn)}`),
      ...policyArns.map((arn) => `aws:policy:${arn}`),
      ...(allowNonRevocable ? ['aws:flag:non-revocable'] : []),
    ]),
  ]
}

/** The bucket of an object, and any other resource as it is. */
function containerOf(arn: string): string {
  return /^(arn:[^:]+:s3:::[^/]+)\//.exec(arn)?.[1] ?? arn
}
