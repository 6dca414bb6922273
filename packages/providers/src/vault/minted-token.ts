import { z } from 'zod'

import type { Answered } from './api.ts'

const tokenSchema = z.object({
  auth: z.object({
    client_token: z.string().min(1),
    accessor: z.string(),
    policies: z.array(z.string()),
    token_policies: z.array(z.string()).nullish(),
    identity_policies: z.array(z.string()).nullish(),
    entity_id: z.string().nullish(),
    lease_duration: z.int().min(0),
    renewable: z.boolean(),
    orphan: z.boolean(),
    token_type: z.string(),
    num_uses: z.int().nullish(),
  }),
})

export type MintedToken = z.output<typeof tokenSchema>['auth']

/** The token in Vault's answer, or `null` when there is none to be read. */
export function readMintedToken(reply: Answered): MintedToken | null {
  const parsed = tokenSchema.safeParse(reply.body)
  return reply.status === 200 && parsed.success ? parsed.data.auth : null
}

export interface WantedToken {
  readonly policy: string
  readonly ttlSeconds: number
  readonly numUses: number
}

/** In what way a token is not the one asked for, and what to change. Empty when it is. */
export function objectionsTo(token: MintedToken, wanted: WantedToken): readonly string[] {
  const policies = [
    ...token.policies,
    ...(token.token_policies ?? []),
    ...(token.identity_policies ?? []),
  ]
  const life = token.lease_duration
  const objections: readonly (readonly [bad: boolean, text: string])[] = [
    [token.token_type !== 'service', 'it is not a service token (set token_type=service)'],
    [token.accessor === '', 'it has no accessor'],
    [
      policies.some((policy) => policy !== wanted.policy) || !policies.includes(wanted.policy),
      'it has other policies (set token_no_default_policy=true, and attach none to the role)',
    ],
    [(token.entity_id ?? '') !== '', 'it belongs to an entity, whose policies it would inherit'],
    [token.renewable, 'it can be renewed (set renewable=false)'],
    [!token.orphan, "it would die with the broker's own token (set orphan=true)"],
    [life === 0 || life > wanted.ttlSeconds, 'it lives longer than the lease (unset token_period)'],
    [
      wanted.numUses > 0 && (token.num_uses ?? 0) !== wanted.numUses,
      'it is good for another number of uses (unset token_num_uses)',
    ],
  ]
  return objections.filter(([bad]) => bad).map(([, text]) => text)
}
