import { startVaultStandin, type VaultStandin, type VaultStandinOptions } from '@mayfly/standins'
import { afterEach, expect, test } from '@jest/globals'
import { z } from 'zod'

const running: VaultStandin[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((standin) => standin.stop()))
})

const POLICIES = {
  reader: 'path "kv/data/apps/payments" { capabilities = ["read"] }',
  teams: `
    # one segment, then anything
    path "kv/data/+/payments" { capabilities = ["read"] }
    path "kv/metadata/*" { capabilities = ["list"] }
    path "kv/data/secret/*" { capabilities = ["deny"] }
    path "kv/data/*" { capabilities = ["create", "read"] }
  `,
  database: JSON.stringify({ path: { 'database/creds/readonly': { capabilities: ['read'] } } }),
}

async function start(options: Partial<VaultStandinOptions> = {}): Promise<Client> {
  const vault = await startVaultStandin({
    rootToken: 'root',
    policies: POLICIES,
    kv: { kv: { 'apps/payments': { key: 'one' }, 'secret/payments': { key: 'two' } } },
    tokenRoles: { mayfly: { allowed_policies_glob: ['*'], orphan: true, token_type: 'service' } },
    databaseRoles: { readonly: {} },
    ...options,
  })
  running.push(vault)
  return makeClient(vault)
}

const answerSchema = z.looseObject({
  data: z.record(z.string(), z.unknown()).nullable().optional(),
  auth: z.record(z.string(), z.unknown()).nullable().optional(),
  lease_id: z.string().optional(),
  warnings: z.array(z.string()).nullable().optional(),
  wrap_info: z.looseObject({ token: z.string() }).nullable().optional(),
  errors: z.array(z.string()).optional(),
})

type Answer = z.infer<typeof answerSchema> & { status: number }

function makeClient(vault: VaultStandin) {
  async function call(
    token: string,
    request: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const [method = '', path = ''] = request.split(' ')
    const response = await fetch(`${vault.url.origin}/v1/${path}`, {
      method,
      headers: { 'x-vault-token': token, ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    const json: unknown = text.startsWith('{') ? JSON.parse(text) : {}
    return { ...answerSchema.parse(json), status: response.status }
  }
  async function mint(body: unknown, path = 'auth/token/create/mayfly', token = 'root') {
    const { auth } = await call(token, `POST ${path}`, body)
    return z
      .looseObject({ client_token: z.string(), accessor: z.string() })
      .parse(auth, { error: () => 'no token was minted' })
  }
  return { vault, call, mint }
}

type Client = ReturnType<typeof makeClient>

const NO_DEFAULT = { no_default_policy: true, ttl: '60s' }

test('a token reads what its policy names and nothing else', async () => {
  const { call, mint } = await start()
  const { client_token: token } = await mint({ policies: ['reader'], ...NO_DEFAULT })
  const read = await call(token, 'GET kv/data/apps/payments')
  expect(read).toMatchObject({ status: 200, data: { data: { key: 'one' } } })
  expect(await call(token, 'GET kv/data/secret/payments')).toEqual({
    status: 403,
    errors: ['1 error occurred:\n\t* permission denied\n\n'],
  })
  expect((await call(token, 'POST kv/data/apps/payments', { data: {} })).status).toBe(403)
  expect((await call(token, 'GET auth/token/lookup-self')).status).toBe(403)
  expect(await call('nobody', 'GET kv/data/apps/payments')).toEqual({
    status: 403,
    errors: ['permission denied'],
  })
})

test('wildcards match as in Vault, the most specific wins, and deny wins', async () => {
  const { call, mint } = await start()
  const { client_token: token } = await mint({ policies: ['teams'] })
  const status = async (request: string, body?: unknown) =>
    (await call(token, request, body)).status
  expect(await status('GET kv/data/apps/payments')).toBe(200)
  expect(await status('GET kv/data/secret/other')).toBe(403)
  expect(await status('POST kv/data/new/thing', { data: { a: 1 } })).toBe(200)
  expect(await status('POST kv/data/new/thing', { data: { a: 2 } })).toBe(403)
  expect(await call(token, 'GET kv/metadata?list=1')).toMatchObject({
    data: { keys: ['apps/', 'new/', 'secret/'] },
  })
})

test('a role limits policies, type and life, and says orphan', async () => {
  const { call, mint } = await start({
    tokenRoles: {
      mayfly: {
        allowed_policies_glob: ['mayfly-*'],
        orphan: true,
        renewable: false,
        token_type: 'service',
        token_explicit_max_ttl: 90,
      },
    },
  })
  const auth = await mint({
    policies: ['mayfly-x'],
    type: 'batch',
    ttl: '2h',
    ...{ meta: { lease: 'l' } },
  })
  expect(auth).toMatchObject({
    policies: ['default', 'mayfly-x'],
    lease_duration: 90,
    orphan: true,
    renewable: false,
    token_type: 'service',
    metadata: { lease: 'l' },
  })
  expect((await call('root', 'POST auth/token/create/mayfly', { policies: ['root'] })).status).toBe(
    400,
  )
  expect((await call('root', 'POST auth/token/create/none', {})).errors).toEqual([
    'unknown role none',
  ])
  expect((await call(auth.client_token, 'POST auth/token/renew-self', {})).status).toBe(400)
})

test('a token and its children die by accessor, and the accessor is unknown afterwards', async () => {
  const { call, mint, vault } = await start()
  const parent = await mint({ policies: ['reader', 'forge'], ttl: '60s' })
  const child = await mint({ policies: ['reader'] }, 'auth/token/create', 'root')
  expect(child['orphan']).toBe(false)
  const accessor = { accessor: parent.accessor }

  expect(await call('root', 'POST auth/token/lookup-accessor', accessor)).toMatchObject({
    status: 200,
    data: { id: '', accessor: parent.accessor, type: 'service', role: 'mayfly' },
  })
  const list = await call('root', 'GET auth/token/accessors?list=1')
  expect(list.data?.['keys']).toContain(parent.accessor)

  expect((await call('root', 'POST auth/token/revoke-accessor', accessor)).status).toBe(204)
  expect(await call('root', 'POST auth/token/revoke-accessor', accessor)).toMatchObject({
    status: 200,
    warnings: ['No token found with this accessor'],
  })
  expect(await call('root', 'POST auth/token/lookup-accessor', accessor)).toEqual({
    status: 400,
    errors: ['1 error occurred:\n\t* invalid accessor\n\n'],
  })
  expect((await call(parent.client_token, 'GET kv/data/apps/payments')).status).toBe(403)
  expect([vault.issued().length, vault.live().length]).toEqual([1, 0])
})

test('children die with their parent, orphans do not', async () => {
  const minter = 'path "auth/token/create" { capabilities = ["update"] }'
  const { call, mint } = await start({ policies: { ...POLICIES, minter } })
  const parent = await mint({ policies: ['reader', 'minter'] })
  const child = await mint({ policies: ['reader'] }, 'auth/token/create', parent.client_token)
  const orphan = await mint({ policies: ['reader'] }, 'auth/token/create-orphan')
  await call('root', 'POST auth/token/revoke', { token: parent.client_token })
  const read = async (token: string) => (await call(token, 'GET kv/data/apps/payments')).status
  expect(await read(child.client_token)).toBe(403)
  expect(await read(orphan.client_token)).toBe(200)
})

test('a token with limited uses is gone after the last one', async () => {
  const { call, mint } = await start()
  const token = await mint({ policies: ['reader'], num_uses: 2, ...NO_DEFAULT })
  const read = async () => (await call(token.client_token, 'GET kv/data/apps/payments')).status
  expect([await read(), await read(), await read()]).toEqual([200, 200, 403])
  const looked = await call('root', 'POST auth/token/lookup-accessor', { accessor: token.accessor })
  expect(looked.status).toBe(400)
})

test('tokens die on the clock', async () => {
  let now = new Date('2026-11-23T12:00:00Z')
  const { call, mint, vault } = await start({ clock: { now: () => now } })
  const token = await mint({ policies: ['reader'], ...NO_DEFAULT })
  now = new Date('2026-11-23T12:00:59Z')
  expect(vault.live()).toHaveLength(1)
  now = new Date('2026-11-23T12:01:00Z')
  expect((await call(token.client_token, 'GET kv/data/apps/payments')).status).toBe(403)
  expect(vault.live()).toEqual([])
})

test.each([
  ['its lease', 'sys/leases/revoke'],
  ['its token', 'auth/token/revoke-accessor'],
])('a database user works until %s ends', async (_what, path) => {
  const { call, mint, vault } = await start()
  const token = await mint({ policies: ['database'], ...NO_DEFAULT })
  const { data, lease_id: leaseId } = await call(token.client_token, 'GET database/creds/readonly')
  const login = async () => {
    const pair = `${String(data?.['username'])}:${String(data?.['password'])}`
    const headers = { authorization: `Basic ${Buffer.from(pair).toString('base64')}` }
    return (await fetch(`${vault.url.origin}/_standin/database/login`, { headers })).status
  }
  expect(await login()).toBe(200)
  expect((await call('root', 'POST sys/leases/lookup', { lease_id: leaseId })).status).toBe(200)

  await call('root', `POST ${path}`, { lease_id: leaseId, accessor: token.accessor, sync: true })
  expect(await login()).toBe(401)
  expect(await call('root', 'POST sys/leases/lookup', { lease_id: leaseId })).toEqual({
    status: 400,
    errors: ['invalid lease'],
  })
  expect(vault.live().filter(({ kind }) => kind === 'database')).toEqual([])
})

test('policies can be written, read, listed and deleted, and a broken one is refused', async () => {
  const { call } = await start()
  const policy = '{"path":{"kv/data/a":{"capabilities":["read"]}}}'
  expect((await call('root', 'PUT sys/policies/acl/mine', { policy })).status).toBe(204)
  expect((await call('root', 'GET sys/policies/acl/mine')).data).toEqual({ name: 'mine', policy })
  const listed = await call('root', 'GET sys/policies/acl?list=true')
  expect(listed.data).toEqual({ keys: ['database', 'default', 'mine', 'reader', 'root', 'teams'] })
  expect((await call('root', 'DELETE sys/policies/acl/mine')).status).toBe(204)
  expect(await call('root', 'GET sys/policies/acl/mine')).toEqual({ status: 404, errors: [] })
  expect((await call('root', 'PUT sys/policies/acl/bad', { policy: 'path {' })).status).toBe(400)
})

test('AppRole logs in with the right secret only', async () => {
  const role = { roleId: 'r', secretId: 's', policies: ['reader'], ttlSeconds: 60 }
  const { call, mint } = await start({ appRoles: [role] })
  const login = { role_id: 'r', secret_id: 's' }
  const { client_token: token } = await mint(login, 'auth/approle/login', '')
  expect((await call(token, 'GET kv/data/apps/payments')).status).toBe(200)
  expect(await call('', 'POST auth/approle/login', { ...login, secret_id: 'x' })).toEqual({
    status: 400,
    errors: ['invalid role or secret ID'],
  })
})

test('R84 a wrapped response is unwrapped once', async () => {
  const { call } = await start()
  const wrap = { 'x-vault-wrap-ttl': '60s' }
  const { wrap_info: info } = await call('root', 'GET kv/data/apps/payments', undefined, wrap)
  const token = info?.token ?? ''
  expect((await call('', 'POST sys/wrapping/lookup', { token })).data).toMatchObject({
    creation_path: 'kv/data/apps/payments',
  })
  expect((await call(token, 'POST sys/wrapping/unwrap')).data).toMatchObject({
    data: { key: 'one' },
  })
  expect(await call(token, 'POST sys/wrapping/unwrap')).toEqual({
    status: 400,
    errors: ['wrapping token is not valid or does not exist'],
  })
})

test('a namespace, when there is one, has to be named', async () => {
  const { call } = await start({ namespace: 'acme' })
  expect((await call('root', 'GET kv/data/apps/payments')).status).toBe(404)
  const named = { 'x-vault-namespace': 'acme' }
  expect((await call('root', 'GET kv/data/apps/payments', undefined, named)).status).toBe(200)
})

test('requests fail on demand, as often as told, and only where told', async () => {
  const { call, vault } = await start()
  vault.fault({
    path: 'kv/',
    times: 1,
    fault: { kind: 'status', status: 503, errors: ['Vault is sealed'] },
  })
  expect((await call('root', 'GET sys/policies/acl?list=1')).status).toBe(200)
  expect(await call('root', 'GET kv/data/apps/payments')).toEqual({
    status: 503,
    errors: ['Vault is sealed'],
  })
  expect((await call('root', 'GET kv/data/apps/payments')).status).toBe(200)
})

test('a lost answer is carried out, and shown by GET /_standin/issued without any token', async () => {
  const { mint, vault } = await start()
  vault.fault({ path: 'auth/token/create/', times: 1, fault: { kind: 'lost' } })
  await expect(mint({ policies: ['reader'], meta: { lease: 'lea_1' } })).rejects.toThrow()
  const issued = await (await fetch(`${vault.url.origin}/_standin/issued`)).text()
  expect(issued).toContain('"lease":"lea_1"')
  expect(issued).not.toContain('hvs.')
  expect(vault.live()).toHaveLength(1)
})
