import { z } from 'zod'

import type { Route } from './call.ts'
import { parsePolicy, type PolicyRules } from './policy-text.ts'
import { VaultRefusal } from './refusal.ts'

export interface Policies {
  readonly routes: readonly Route[]
  /** Rules of the named policies that exist. A name without a policy grants nothing. */
  rulesOf(names: readonly string[]): readonly PolicyRules[]
}

const bodySchema = z.object({ policy: z.string() })

const DEFAULT_POLICY = `
path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self" { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }
path "sys/leases/lookup" { capabilities = ["update"] }
path "sys/leases/renew" { capabilities = ["update"] }
path "sys/wrapping/unwrap" { capabilities = ["update"] }
`

/** `sys/policies/acl/*`. Names are lower case, as in Vault. */
export function makePolicies(seed: Readonly<Record<string, string>>): Policies {
  const policies = new Map<string, { readonly text: string; readonly rules: PolicyRules }>()
  const put = (name: string, text: string) => {
    policies.set(name.toLowerCase(), { text, rules: parsePolicy(text) })
  }
  for (const [name, text] of Object.entries({ default: DEFAULT_POLICY, ...seed })) put(name, text)

  const one = /^sys\/policies\/acl\/([^/]+)$/
  return {
    rulesOf: (names) =>
      names.flatMap((name) => {
        const found = policies.get(name)
        return found === undefined ? [] : [found.rules]
      }),
    routes: [
      {
        pattern: one,
        operation: 'read',
        handle: (_call, [given = '']) => {
          const name = given.toLowerCase()
          const found = policies.get(name)
          if (found === undefined) throw new VaultRefusal(404)
          return { data: { name, policy: found.text } }
        },
      },
      {
        pattern: one,
        operation: 'write',
        handle: ({ body }, [name = '']) => {
          put(name, bodySchema.parse(body).policy)
          return {}
        },
      },
      {
        pattern: one,
        operation: 'delete',
        handle: (_call, [name = '']) => {
          policies.delete(name.toLowerCase())
          return {}
        },
      },
      {
        pattern: /^sys\/policies\/acl$/,
        operation: 'list',
        handle: () => ({ data: { keys: [...policies.keys(), 'root'].sort() } }),
      },
    ],
  }
}
