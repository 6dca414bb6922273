import { MayflyError, type JsonObject } from '@mayfly/core'
import { z } from 'zod'

/** How the SDK finds the credentials of one of our two identities. */
export type AwsIdentity =
  /** Keys of an IAM user; the secret key, and where wanted the key id, is `env:NAME` or `file:/path`. */
  | { readonly accessKeyId: string; readonly secretAccessKey: string }
  /** A named profile of the SDK's shared configuration; it can assume a role by itself. */
  | { readonly profile: string }
  /** The SDK's default chain: environment, IRSA, ECS, instance role. */
  | { readonly from: 'default' }

export interface AwsSettings {
  readonly region: string
  readonly partition: string
  readonly stsEndpoint?: string | undefined
  readonly iamEndpoint?: string | undefined
  /** The only roles that any template of this connection may name. */
  readonly allowedRoles: readonly string[]
  readonly externalId?: string | undefined
  /** May assume the roles, and nothing else. */
  readonly minter: AwsIdentity
  /** May read, write and remove the roles' deny policies, and nothing else (R77). */
  readonly revoker: AwsIdentity
  /** The longest session: the roles' own maximum, and 3,600 when the minter is itself a session. */
  readonly maxSessionSeconds: number
  /** How long a written Deny is given before it counts as in force everywhere. */
  readonly propagationSeconds: number
  /** How many managed policies per role may take what its inline deny policy has no room for. */
  readonly extraDenyPolicies: number
  /** Whether every older session of a role may be revoked when its deny policies are full. */
  readonly revokeOlderSessionsOnOverflow: boolean
}

const CHAINED_MAX_SECONDS = 3600
const reference = z.string().regex(/^(?:env:[A-Za-z_][A-Za-z0-9_]*|file:\/.+)$/, {
  error: 'must be a reference, env:NAME or file:/path, never the key itself',
})
const identitySchema = z.union([
  z.strictObject({ accessKeyId: z.string().min(1), secretAccessKey: reference }),
  z.strictObject({ profile: z.string().min(1) }),
  z.strictObject({ from: z.literal('default') }),
])

const endpoint = z.url().refine((text) => {
  const { protocol, hostname } = new URL(text)
  return (
    protocol === 'https:' ||
    (protocol === 'http:' && ['127.0.0.1', 'localhost', '[::1]'].includes(hostname))
  )
}, 'must be https, or http on a loopback address')

const settingsSchema = z
  .strictObject({
    region: z.string().regex(/^[a-z]{2}(?:-[a-z]+)+-\d$/),
    partition: z.enum(['aws', 'aws-cn', 'aws-us-gov']).default('aws'),
    stsEndpoint: endpoint.optional(),
    iamEndpoint: endpoint.optional(),
    allowedRoles: z
      .array(z.string().regex(/^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/))
      .min(1),
    externalId: z
      .string()
      .regex(/^[\w+=,.@:/-]{2,1224}$/)
      .optional(),
    minter: identitySchema,
    /** False when the minter is an IAM user, so that sessions may outlast an hour. */
    chained: z.boolean().optional(),
    revoker: identitySchema,
    maxSessionSeconds: z.int().min(900).max(43_200).default(CHAINED_MAX_SECONDS),
    propagationSeconds: z.int().min(1).max(600).default(60),
    extraDenyPolicies: z.int().min(0).max(10).default(0),
    revokeOlderSessionsOnOverflow: z.boolean().default(false),
  })
  .refine(
    ({ allowedRoles, partition }) =>
      allowedRoles.every((role) => role.startsWith(`arn:${partition}:`)),
    {
      path: ['allowedRoles'],
      message: 'must be in the partition of the connection',
    },
  )
  .refine(({ minter, revoker }) => JSON.stringify(minter) !== JSON.stringify(revoker), {
    path: ['revoker'],
    message:
      'must be another identity than the minter: who can mint must not be able to lift a Deny',
  })

/** Parses a connection's settings. Throws `policy_set_invalid`, and names fields but no values. */
export function parseAwsSettings(settings: JsonObject): AwsSettings {
  const parsed = settingsSchema.safeParse(settings)
  if (!parsed.success) {
    const problems = z.prettifyError(parsed.error)
    throw new MayflyError('policy_set_invalid', `the AWS connection is not valid: ${problems}`)
  }
  const { chained, ...rest } = parsed.data
  // Anything but an IAM user's own key is a session already, and AWS then caps the next one.
  if (!(chained ?? !('accessKeyId' in rest.minter))) return rest
  return { ...rest, maxSessionSeconds: Math.min(rest.maxSessionSeconds, CHAINED_MAX_SECONDS) }
}

/** True for `env:NAME` and `file:/path`. */
export function isReference(text: string): boolean {
  return reference.safeParse(text).success
}
