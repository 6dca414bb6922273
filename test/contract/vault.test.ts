import { Secret, type Credential } from '@mayfly/core'
import { startVaultStandin } from '@mayfly/standins'

import { describeProvider, type ProviderFixture } from './provider-contract.ts'
import {
  BROKER_POLICY,
  MALFORMED_SCOPES,
  openVaultProvider,
  PATHS_SCOPE,
  readWith,
  TOKEN_ROLE,
} from '../support/vault-fixture.ts'

async function openStandin() {
  let now = new Date('2026-11-23T12:00:00Z')
  const clock = {
    now: () => now,
    advance: (seconds: number) => {
      now = new Date(now.getTime() + seconds * 1000)
    },
  }
  const vault = await startVaultStandin({
    rootToken: 'root-of-all-secrets',
    policies: { broker: BROKER_POLICY },
    tokens: { 'broker-token-of-the-contract': ['broker'] },
    tokenRoles: { mayfly: TOKEN_ROLE },
    kv: { kv: { 'apps/payments': { key: 'one' }, 'apps/other': { key: 'two' } } },
    databaseRoles: { readonly: {} },
    clock,
  })
  const url = vault.url.origin
  const fixture = {
    provider: openVaultProvider(url, 'broker-token-of-the-contract', clock),
    malformedScopes: MALFORMED_SCOPES,
    secrets: ['broker-token-of-the-contract', 'root-of-all-secrets'],
    clock,
    requests: () => vault.requests().length,
    live: () => vault.live().length,
    loseNextAnswer: () => {
      vault.fault({ path: 'auth/token/create/', times: 1, fault: { kind: 'lost' } })
    },
    stop: () => vault.stop(),
  }
  return { url, fixture }
}

describeProvider('vault secrets', async (): Promise<ProviderFixture> => {
  const { url, fixture } = await openStandin()
  return {
    ...fixture,
    scope: PATHS_SCOPE,
    works: async (credential) => (await readWith(url, credential, 'kv/data/apps/payments')) === 200,
    forbidden: async (credential) =>
      (await readWith(url, credential, 'kv/data/apps/other')) === 403,
  }
})

describeProvider('vault database users', async (): Promise<ProviderFixture> => {
  const { url, fixture } = await openStandin()
  const login = async ({ username, password }: Credential, name = username): Promise<boolean> => {
    if (!(password instanceof Secret) || typeof name !== 'string') throw new TypeError('no user')
    const pair = Buffer.from(`${name}:${password.reveal()}`).toString('base64')
    const headers = { authorization: `Basic ${pair}` }
    return (await fetch(`${url}/_standin/database/login`, { headers })).status === 200
  }
  return {
    ...fixture,
    scope: { database: { role: 'readonly' } },
    works: (credential) => login(credential),
    forbidden: async (credential) => !(await login(credential, 'postgres')),
  }
})
