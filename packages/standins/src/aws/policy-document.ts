import { z } from 'zod'

import { AwsError } from './aws-error.ts'

export interface Statement {
  readonly effect: 'Allow' | 'Deny'
  readonly actions: readonly string[]
  readonly resources: readonly string[]
  readonly principals: readonly string[]
  /** Operator → context key → values. */
  readonly conditions: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>
}

export type PolicyKind = 'identity' | 'trust'

const oneOrMore = <Item extends z.ZodType<string>>(item: Item) =>
  z.union([item.transform((one) => [one]), z.array(item).min(1)])
const value = z.union([z.string(), z.number().transform(String), z.boolean().transform(String)])

const statementSchema = z.strictObject({
  Sid: z
    .string()
    .regex(/^[A-Za-z0-9]*$/)
    .optional(),
  Effect: z.enum(['Allow', 'Deny']),
  Action: oneOrMore(z.string().regex(/^(?:\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+)$/)),
  Resource: oneOrMore(z.string().regex(/^(?:\*|arn:[^:]+:[^:]*:[^:]*:[^:]*:.+)$/)).optional(),
  Principal: z.union([z.literal('*'), z.strictObject({ AWS: oneOrMore(z.string()) })]).optional(),
  Condition: z
    .record(
      z.string(),
      z.record(z.string(), z.union([value.transform((v) => [v]), z.array(value)])),
    )
    .optional(),
})
const documentSchema = z.strictObject({
  Version: z.enum(['2012-10-17', '2008-10-17']).optional(),
  Id: z.string().optional(),
  Statement: z.union([statementSchema.transform((one) => [one]), z.array(statementSchema).min(1)]),
})

/**
 * Reads an IAM policy. Throws `MalformedPolicyDocument` as IAM does, and also for `NotAction`,
 * `NotResource` and `NotPrincipal`, which this stand-in does not evaluate.
 */
export function parsePolicy(
  document: unknown,
  kind: PolicyKind = 'identity',
): readonly Statement[] {
  const parsed = documentSchema.safeParse(
    typeof document === 'string' ? readJson(document) : document,
  )
  if (!parsed.success) throw malformed()
  return parsed.data.Statement.map((statement) => {
    // A trust policy names principals and no resource, every other policy the reverse.
    const trust = kind === 'trust'
    if ((statement.Principal !== undefined) !== trust) throw malformed()
    if ((statement.Resource === undefined) !== trust) throw malformed()
    return {
      effect: statement.Effect,
      actions: statement.Action,
      resources: statement.Resource ?? ['*'],
      principals: principalsOf(statement.Principal),
      conditions: statement.Condition ?? {},
    }
  })
}

function principalsOf(
  principal: '*' | { readonly AWS: readonly string[] } | undefined,
): readonly string[] {
  if (principal === undefined) return []
  return principal === '*' ? ['*'] : principal.AWS
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw malformed()
  }
}

function malformed(): AwsError {
  return new AwsError(400, 'MalformedPolicyDocument', 'The policy is not in the valid JSON format.')
}
