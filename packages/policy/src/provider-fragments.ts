import { z } from 'zod'

import { duration } from './document-fields.ts'

const text = z.string().min(1)
/** What decides how far a credential reaches is the template author's to write, never a parameter's. */
const literal = text.refine((value) => !value.includes('{{'), 'must not hold a placeholder')

const github = {
  account: literal,
  allowHighRisk: z.literal(true).exactOptional(),
  repositories: z.array(text).min(1).exactOptional(),
  repositoryIds: z
    .array(z.union([text, z.int().positive()]))
    .min(1)
    .exactOptional(),
}

const permissions = z
  .record(literal, z.enum(['read', 'write', 'admin']))
  .refine((levels) => Object.keys(levels).length > 0, 'must name a permission')

const statement = z.strictObject({
  actions: z.array(literal).min(1),
  resources: z.array(text).min(1),
  conditions: z
    .record(literal, z.record(literal, z.union([text, z.array(text).min(1)])))
    .exactOptional(),
})

const vaultPath = z.strictObject({
  path: text.refine((path) => !/[*+]/.test(path), 'must not hold a wildcard; say `prefix: true`'),
  capabilities: z.array(z.enum(['create', 'read', 'update', 'patch', 'delete', 'list'])).min(1),
  prefix: z.literal(true).exactOptional(),
})

const maxTtl = { maxTtl: duration.exactOptional() }

const databaseUser = z.strictObject({
  mount: literal.default('database'),
  role: text,
  /** How long the database role's users live by themselves: Vault's setting, not ours. */
  roleTtlSeconds: z.int().min(1).exactOptional(),
})

/** Per provider: the keys at `spec` level, and one action. */
export const PROVIDER_FRAGMENTS = {
  github: {
    shared: github,
    action: z.strictObject({ permissions, ...maxTtl }),
  },
  aws: {
    shared: {
      roleArn: literal.regex(/^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/, 'must be a role'),
      policyArns: z.array(literal).min(1).max(10).exactOptional(),
      allowNonRevocable: z.literal(true).exactOptional(),
    },
    action: z.strictObject({ statements: z.array(statement).min(1), ...maxTtl }),
  },
  vault: {
    shared: { maxUses: z.int().min(1).max(1000).exactOptional() },
    action: z
      .strictObject({
        paths: z.array(vaultPath).min(1).exactOptional(),
        database: databaseUser.exactOptional(),
        ...maxTtl,
      })
      .refine(
        ({ paths, database }) => (paths === undefined) !== (database === undefined),
        'must name `paths` or `database`',
      ),
  },
} as const
