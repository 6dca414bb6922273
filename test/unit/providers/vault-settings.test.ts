import { MayflyError } from '@mayfly/core'
import { parseVaultSettings } from '@mayfly/providers'
import { expect, test } from '@jest/globals'

const TOKEN = { token: 'env:VAULT_TOKEN' }

test('settings get defaults and one spelling', () => {
  expect(parseVaultSettings({ url: 'https://Vault.acme.example/', auth: TOKEN })).toEqual({
    url: 'https://vault.acme.example',
    namespace: null,
    tokenRole: 'mayfly',
    auth: { by: 'token', token: 'env:VAULT_TOKEN' },
  })
  expect(
    parseVaultSettings({
      url: 'http://127.0.0.1:8200',
      namespace: 'acme/payments',
      tokenRole: 'agents',
      auth: { approle: { roleId: 'r-1', secretId: 'file:/run/secrets/id' } },
    }),
  ).toEqual({
    url: 'http://127.0.0.1:8200',
    namespace: 'acme/payments',
    tokenRole: 'agents',
    auth: { by: 'approle', mount: 'approle', roleId: 'r-1', secretId: 'file:/run/secrets/id' },
  })
})

test.each([
  ['plain HTTP to another host', { url: 'http://vault.acme.example', auth: TOKEN }],
  ['a path', { url: 'https://vault.acme.example/v1', auth: TOKEN }],
  ['a password in the url', { url: 'https://u:hunter2@vault.acme.example', auth: TOKEN }],
  ['a token itself', { url: 'https://vault.acme.example', auth: { token: 'hvs.hunter2' } }],
  ['no auth', { url: 'https://vault.acme.example' }],
  ['two kinds of auth', { url: 'https://v.example', auth: { ...TOKEN, approle: {} } }],
  ['a role with a slash', { url: 'https://v.example', auth: TOKEN, tokenRole: '../orphan' }],
  ['a namespace with dots', { url: 'https://v.example', auth: TOKEN, namespace: 'a/../b' }],
  ['an unknown field', { url: 'https://v.example', auth: TOKEN, skipVerify: true }],
])('settings with %s are refused, and no value is repeated', (_what, settings) => {
  const error = failureOf(() => parseVaultSettings(settings))
  expect(error.code).toBe('policy_set_invalid')
  expect(error.message).not.toContain('hunter2')
})

function failureOf(work: () => unknown): MayflyError {
  try {
    work()
  } catch (error) {
    if (error instanceof MayflyError) return error
    throw error
  }
  throw new Error('it was accepted')
}
