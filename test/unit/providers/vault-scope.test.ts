import { MayflyError, type Json } from '@mayfly/core'
import { vaultScopeSchema } from '@mayfly/providers'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { assert, constantFrom, array, oneof, property, string } from 'fast-check'

import { MALFORMED_SCOPES } from '../../support/vault-fixture.ts'
import { openVaultWorld, secretIn, type VaultWorld } from '../../support/vault-world.ts'

let world: VaultWorld
beforeAll(async () => {
  world = await openVaultWorld()
})
afterAll(() => world.stop())

const read = (path: string, more: Readonly<Record<string, Json>> = {}): Json => ({
  paths: [{ path, capabilities: ['read'], ...more }],
})

describe('targets', () => {
  test.each([
    [
      read('kv/data/apps/payments'),
      ['vault:path:kv/data/apps/payments', 'vault:mount:kv', 'vault:capability:read'],
    ],
    [
      {
        paths: [
          { path: 'kv/data/a', capabilities: ['update', 'create'] },
          { path: 'kv/data/b', capabilities: ['update', 'read'] },
        ],
      },
      [
        ...['vault:path:kv/data/a', 'vault:path:kv/data/b', 'vault:mount:kv'],
        ...['create', 'update', 'read'].map((each) => `vault:capability:${each}`),
      ],
    ],
    [
      read('team/kv/data/apps', { prefix: true }),
      ['vault:path:team/kv/data/apps/*', 'vault:mount:team/kv', 'vault:capability:read'],
    ],
    [
      { database: { mount: 'databases/eu', role: 'readonly' } },
      [
        ...['vault:path:databases/eu/creds/readonly', 'vault:mount:databases/eu'],
        'vault:capability:read',
      ],
    ],
  ])('of %j are %j', (scope, targets) => {
    expect(world.provider.prepare(scope).targets).toEqual(targets)
  })

  test('begin with the namespace where there is one', () => {
    const provider = world.connect({ namespace: 'acme' })
    expect(provider.prepare(read('kv/data/a')).targets).toEqual([
      'vault:path:acme/kv/data/a',
      'vault:mount:acme/kv',
      'vault:capability:read',
    ])
  })
})

test('the promised lifetime is the TTL, or what the database role allows', () => {
  const prepare = (scope: Json) => world.provider.prepare(scope)
  expect(prepare(read('kv/data/a')).lifetimeSeconds(600)).toBe(601)
  expect(prepare({ database: { role: 'readonly' } }).lifetimeSeconds(600)).toBe(3601)
  expect(
    prepare({ database: { role: 'readonly', roleTtlSeconds: 300 } }).lifetimeSeconds(600),
  ).toBe(601)
})

test('a folder called like a system path may hold secrets, a namespace may not hide one', () => {
  const prepare = (scope: Json) => world.provider.prepare(scope)
  expect(prepare(read('kv/data/auth/session-key')).targets).toHaveLength(3)
  for (const path of ['sys/raw', 'AUTH/token/create', 'team/identity/group', 'a/b/sys/seal']) {
    expect(() => prepare(read(path))).toThrow(MayflyError)
  }
})

test('the exported schema refuses what prepare refuses', () => {
  for (const scope of MALFORMED_SCOPES) {
    expect(vaultScopeSchema.safeParse(scope).success).toBe(false)
  }
})

test('R19 no text in the place of a name reaches further than that name', () => {
  // Text as a caller would try it: everything that means something to Vault, HCL, JSON or a URL.
  const hostile = array(
    oneof(
      constantFrom('*', '+', '/', '..', '.', '//', '%2f', '%2e%2e', '{{', '}}', '"', '\\', '\n'),
      constantFrom('#', '?', '\u0000', ' ', ']', '}', '"]}}', 'sys', 'payments', 'other', 'é'),
      string({ maxLength: 3 }),
    ),
    { maxLength: 5 },
  ).map((parts) => parts.join(''))

  assert(
    property(hostile, (parameter) => {
      const path = `kv/data/apps/${parameter}`
      let targets: readonly string[]
      try {
        ;({ targets } = world.provider.prepare(read(path)))
      } catch (error) {
        expect(error).toMatchObject({ code: 'scope_invalid' })
        return
      }
      // One path, the very text that was asked for, and nothing in it that Vault would expand.
      expect(targets).toEqual([`vault:path:${path}`, 'vault:mount:kv', 'vault:capability:read'])
      expect(path).toMatch(/^kv\/data\/apps(?:\/[A-Za-z0-9._@:=~-]+)+$/)
      expect(path.split('/')).not.toContain('..')
    }),
    { numRuns: 2_000 },
  )
})

test('a prefix covers what is below it, and neither itself nor its neighbours', async () => {
  const { credential } = await world.mint(read('kv/data/apps', { prefix: true }))
  const token = secretIn(credential)
  const status = async (path: string) => (await world.ask(`GET ${path}`, undefined, token)).status
  expect(await status('kv/data/apps/payments')).toBe(200)
  expect(await status('kv/data/apps')).toBe(403)
  expect(await status('kv/data/apps-of-others/x')).toBe(403)
})
