import { startVaultStandin, type VaultStandin } from '@mayfly/standins'

export const VAULT_ROLE_ID = 'mayfly-broker'

/** What the broker's own token may do, and nothing else: the policy to give it in a real Vault. */
const BROKER_POLICY = JSON.stringify({
  path: {
    'auth/token/create/mayfly': { capabilities: ['create', 'update'] },
    'auth/token/lookup-accessor': { capabilities: ['create', 'update'] },
    'auth/token/revoke-accessor': { capabilities: ['create', 'update'] },
    'auth/token/accessors': { capabilities: ['list', 'sudo'] },
    'auth/token/accessors/': { capabilities: ['list', 'sudo'] },
    'sys/policies/acl/mayfly-*': { capabilities: ['create', 'read', 'update'] },
    'sys/leases/lookup': { capabilities: ['create', 'update'] },
    'sys/leases/revoke': { capabilities: ['create', 'update'] },
  },
})

interface AcmeVaultOptions {
  readonly rootToken: string
  readonly brokerSecretId: string
  readonly port?: number
}

/** Acme's Vault: a KV mount with a few teams' secrets, two databases, and the broker's AppRole. */
export function startAcmeVault({
  brokerSecretId,
  ...rest
}: AcmeVaultOptions): Promise<VaultStandin> {
  return startVaultStandin({
    ...rest,
    policies: { 'mayfly-broker-policy': BROKER_POLICY },
    appRoles: [
      { roleId: VAULT_ROLE_ID, secretId: brokerSecretId, policies: ['mayfly-broker-policy'] },
    ],
    tokenRoles: {
      mayfly: {
        allowed_policies_glob: ['mayfly-*'],
        orphan: true,
        renewable: false,
        token_type: 'service',
        token_no_default_policy: true,
      },
    },
    kv: {
      kv: {
        'web/app/session': { cookieKey: 'not-a-real-key' },
        'payments/app': { apiKey: 'not-a-real-key' },
        'payments/ledger': { apiKey: 'not-a-real-key-either' },
        'data/warehouse': { dsn: 'not-a-real-dsn' },
      },
    },
    databaseRoles: { 'orders-readonly': {}, 'catalogue-readonly': {} },
  })
}
