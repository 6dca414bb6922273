import { startVaultStandin } from '@mayfly/standins'

/** A Vault with one secret, in a process of its own. Prints its URL. */
const { VAULT_TOKEN } = process.env
if (!VAULT_TOKEN) throw new Error('started by mixed-world.ts only')

const { url } = await startVaultStandin({
  rootToken: VAULT_TOKEN,
  keepAlive: true,
  tokenRoles: {
    mayfly: {
      allowed_policies_glob: ['mayfly-*'],
      orphan: true,
      renewable: false,
      token_type: 'service',
      token_no_default_policy: true,
    },
  },
  kv: { kv: { app: { apiKey: 'not-a-real-key' } } },
})
process.stdout.write(`${url.origin}\n`)
