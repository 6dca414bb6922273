import { z } from 'zod'

import { instant, leaseId, taskId } from './fields.ts'

const name = z.string().min(1).max(300)
const githubName = '[A-Za-z0-9_.-]{1,100}'

/**
 * Which leases are meant. Several fields must all match; a selector says something or it is refused,
 * and `everything` has to be said.
 */
export const selectorSchema = z.strictObject({
  lease: leaseId.exactOptional(),
  task: taskId.exactOptional(),
  agent: name.exactOptional(),
  /** `<issuer>#<sub>`. */
  subject: z.string().min(1).max(1000).exactOptional(),
  owner: name.exactOptional(),
  environment: name.exactOptional(),
  issuer: name.exactOptional(),
  template: name.exactOptional(),
  templateVersion: z.int().min(1).max(2_147_483_647).exactOptional(),
  provider: z.enum(['github', 'aws', 'vault']).exactOptional(),
  /** Whatever reaches it: leases by its name, by its id, and those that policy decided for it. */
  repository: z
    .string()
    .regex(new RegExp(`^${githubName}/${githubName}$`), 'must be owner/name')
    .exactOptional(),
  organisation: z
    .string()
    .regex(new RegExp(`^${githubName}$`))
    .exactOptional(),
  /**
   * GitHub: whoever has at least that level, so `contents:read` selects those who can write, too.
   * AWS: whoever may do that action, or one that begins like it (`s3:Put*`), and whoever takes a
   * managed policy. Vault: whoever has that capability on any path.
   */
  permission: z
    .string()
    .max(150)
    .regex(
      /^(?:vault:(?:create|read|update|patch|delete|list)|(?!vault:)(?:[a-z][a-z_]*:(?:read|write|admin)|[a-z0-9-]+:(?:[A-Za-z][A-Za-z0-9]*\*?|\*)))$/,
      'must be name:level of GitHub (contents:write), service:Action of AWS (s3:PutObject, s3:Put*) or vault:capability (vault:update)',
    )
    .exactOptional(),
  awsAccount: z
    .string()
    .regex(/^\d{12}$/, 'must be twelve digits')
    .exactOptional(),
  awsRole: z
    .string()
    .regex(/^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]{1,200}$/, 'must be the ARN of a role')
    .exactOptional(),
  /** The path, everything below it, and leases on a prefix that covers it. As in an ACL policy. */
  vaultPath: z
    .string()
    .max(600)
    .regex(
      /^[A-Za-z0-9._@:=~-]+(?:\/[A-Za-z0-9._@:=~-]+)*\/?$/,
      'must be names joined by single slashes',
    )
    .exactOptional(),
  createdAfter: instant.exactOptional(),
  createdBefore: instant.exactOptional(),
  everything: z.literal(true).exactOptional(),
})
export type SelectorBody = z.output<typeof selectorSchema>

/** The same fields as parameters of a query, where everything is text. */
export const selectorQuery = {
  ...selectorSchema.shape,
  templateVersion: z.coerce.number().int().min(1).max(2_147_483_647).exactOptional(),
  everything: z
    .stringbool({ truthy: ['true'], falsy: [], case: 'sensitive' })
    .pipe(z.literal(true))
    .exactOptional(),
}

/** As shown: a newer broker may know more fields. */
export const shownSelector = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
