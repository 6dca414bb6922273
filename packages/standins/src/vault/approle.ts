import { z } from 'zod'

import type { OpenRoute } from './call.ts'
import { VaultRefusal } from './refusal.ts'
import { authOf } from './token-routes.ts'
import type { TokenStore } from './tokens.ts'

export interface AppRole {
  readonly roleId: string
  readonly secretId: string
  readonly policies: readonly string[]
  /** An hour unless told. */
  readonly ttlSeconds?: number
}

const loginSchema = z.object({ role_id: z.string(), secret_id: z.string() })

/** `auth/approle/login`. */
export function appRoleRoutes(roles: readonly AppRole[], tokens: TokenStore): readonly OpenRoute[] {
  return [
    {
      pattern: /^auth\/approle\/login$/,
      operation: 'write',
      handle: ({ body }) => {
        const { role_id: roleId, secret_id: secretId } = loginSchema.parse(body)
        const role = roles.find((each) => each.roleId === roleId && each.secretId === secretId)
        if (role === undefined) throw new VaultRefusal(400, 'invalid role or secret ID')
        const token = tokens.mint({
          policies: role.policies,
          parent: null,
          type: 'service',
          renewable: true,
          ttlSeconds: role.ttlSeconds ?? 3600,
          explicitMaxTtlSeconds: 0,
          numUses: 0,
          meta: null,
          path: 'auth/approle/login',
        })
        return { auth: authOf(token) }
      },
    },
  ]
}
