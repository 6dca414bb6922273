import { readFileSync } from 'node:fs'

import { makeVaultProvider, parseVaultSettings } from '@mayfly/providers'
import {
  Secret,
  type Clock,
  type Credential,
  type CredentialProvider,
  type Json,
} from '@mayfly/core'

/** The policy that the documentation tells operators to give the broker, and nothing else. */
export const BROKER_POLICY = readFileSync('packages/providers/src/vault/broker-policy.hcl', 'utf8')

/** The token role of the documentation. */
export const TOKEN_ROLE = {
  allowed_policies_glob: ['mayfly-*'],
  orphan: true,
  renewable: false,
  token_type: 'service',
  token_no_default_policy: true,
  token_explicit_max_ttl: 3600,
} as const

export const PATHS_SCOPE: Json = {
  paths: [{ path: 'kv/data/apps/payments', capabilities: ['read'] }],
}

export const MALFORMED_SCOPES: readonly Json[] = [
  {},
  { paths: [] },
  { paths: [{ path: 'kv/data/apps/payments', capabilities: [] }] },
  { paths: [{ path: 'kv/data/apps/payments', capabilities: ['sudo'] }] },
  { paths: [{ path: 'kv/data/apps/payments', capabilities: ['root'] }] },
  { paths: [{ path: 'kv/data/apps/*', capabilities: ['read'] }] },
  { paths: [{ path: 'kv/data/+/payments', capabilities: ['read'] }] },
  { paths: [{ path: 'kv/data/apps/../root', capabilities: ['read'] }] },
  { paths: [{ path: '/kv/data/apps', capabilities: ['read'] }] },
  { paths: [{ path: 'kv/data//apps', capabilities: ['read'] }] },
  { paths: [{ path: 'kv/data/apps/', capabilities: ['read'] }] },
  { paths: [{ path: 'kv/data/a\u0000b', capabilities: ['read'] }] },
  { paths: [{ path: 'kv/data/{{identity.entity.id}}', capabilities: ['read'] }] },
  { paths: [{ path: 'sys/policies/acl/root', capabilities: ['update'] }] },
  { paths: [{ path: 'auth/token/create', capabilities: ['update'] }] },
  { paths: [{ path: 'identity/entity', capabilities: ['update'] }] },
  { paths: [{ path: 'team/sys/policies/acl/x', capabilities: ['update'] }] },
  { paths: [{ path: 'kv', capabilities: ['read'], prefix: true }] },
  { paths: [{ path: 'kv/data/a', capabilities: ['read'] }], database: { role: 'readonly' } },
  { database: { role: '../config/payments' } },
  { database: { mount: 'sys', role: 'readonly' } },
]

export function openVaultProvider(
  url: string,
  brokerToken: string,
  clock: Clock,
): CredentialProvider {
  return makeVaultProvider({
    settings: parseVaultSettings({ url, auth: { token: 'env:VAULT_BROKER_TOKEN' } }),
    resolveSecret: () => new Secret(brokerToken),
    clock,
    timeoutMs: 5_000,
  })
}

/** The status of reading a path with a delivered token. */
export async function readWith(url: string, credential: Credential, path: string): Promise<number> {
  const { token } = credential
  if (!(token instanceof Secret)) throw new TypeError('the credential has no token')
  const headers = { 'x-vault-token': token.reveal() }
  const { status } = await fetch(`${url}/v1/${path}`, { headers })
  return status
}
