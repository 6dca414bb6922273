import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { ProviderName, Selector } from '@mayfly/core'
import fc from 'fast-check'

import { openLease } from '../../support/incident-fixtures.ts'
import { freshId, leaseIntent, openTask, workloadToken } from '../../support/lease-fixtures.ts'
import { startStoreWorld, type StoreWorld } from '../../support/store-world.ts'

let world: StoreWorld
beforeAll(async () => {
  world = await startStoreWorld()
})
afterAll(() => world.close())

interface Facts {
  readonly agent: string
  readonly owner: string
  readonly environment: string
  readonly issuer: string
  readonly template: string
  readonly version: number
  readonly provider: ProviderName
  readonly targets: readonly string[]
}

const target = fc.constantFrom(
  'github:repo:acme/payments',
  'resource:repo:acme/payments',
  'github:repo:acme/web',
  'github:org:acme',
  'github:permission:contents:read',
  'github:permission:contents:write',
  'github:permission:contents:admin',
  'aws:account:123456789012',
  'aws:role:arn:aws:iam::123456789012:role/deploy',
  'aws:action:s3:putobject',
  'aws:action:s3:get*',
  'aws:action:s3:?etobject',
  'aws:action:iam:passrole',
  'aws:policy:arn:aws:iam::aws:policy/ReadOnlyAccess',
  'vault:capability:read',
  'vault:capability:update',
  'vault:path:kv/data/app',
  'vault:path:kv/data/app/db',
  'vault:path:kv/data/application',
  'vault:path:kv/data/*',
  'vault:path:kv/*',
)

const facts: fc.Arbitrary<Facts> = fc.record({
  agent: fc.constantFrom('a', 'b'),
  owner: fc.constantFrom('o', 'p'),
  environment: fc.constantFrom('development', 'production'),
  issuer: fc.constantFrom('ci', 'ci2'),
  template: fc.constantFrom('t', 'u'),
  version: fc.constantFrom(1, 2),
  provider: fc.constantFrom('github' as const, 'aws' as const, 'vault' as const),
  targets: fc.uniqueArray(target, { maxLength: 6 }),
})

const selector: fc.Arbitrary<Selector> = fc
  .record(
    {
      agent: fc.constantFrom('a', 'b'),
      subject: fc.constantFrom('ci#s', 'ci2#s'),
      owner: fc.constantFrom('o', 'p'),
      environment: fc.constantFrom('development', 'production'),
      issuer: fc.constantFrom('ci', 'ci2', 'c'),
      template: fc.constantFrom('t', 'u'),
      templateVersion: fc.constantFrom(1, 2),
      provider: fc.constantFrom('github' as const, 'aws' as const),
      repository: fc.constantFrom('acme/payments', 'acme/pay'),
      organisation: fc.constantFrom('acme', 'acm'),
      permission: fc.constantFrom(
        'contents:read',
        'contents:write',
        'contents:admin',
        'issues:read',
        's3:PutObject',
        's3:getobject',
        's3:Get*',
        's3:GetObj*',
        's3:*',
        'iam:P*',
        'iam:Create*',
        'vault:update',
        'vault:list',
      ),
      awsAccount: fc.constantFrom('123456789012', '210987654321'),
      awsRole: fc.constant('arn:aws:iam::123456789012:role/deploy'),
      vaultPath: fc.constantFrom('kv/data/app', 'kv/data', 'kv/data/app/db', 'kv'),
      createdAfter: fc.constantFrom('2020-01-01T00:00:00.000Z', '2100-01-01T00:00:00.000Z'),
      createdBefore: fc.constantFrom('2020-01-01T00:00:00.000Z', '2100-01-01T00:00:00.000Z'),
    },
    { requiredKeys: [] },
  )
  .filter((asked) => Object.keys(asked).length > 0)

const LEVELS = ['read', 'write', 'admin']

const is = (name: 'agent' | 'owner' | 'environment' | 'issuer' | 'template' | 'provider') =>
  function compares(asked: string, l: Facts): boolean {
    return l[name] === asked
  }

const paths = (l: Facts): readonly string[] =>
  l.targets.filter((text) => text.startsWith('vault:path:')).map((text) => text.slice(11))

const ACTIONS = [
  's3:putobject',
  's3:getobject',
  's3:getbucketacl',
  's3:setobject',
  's3:petobject',
].concat(['s3:getobjectacl', 's3:listbucket', 'iam:passrole', 'iam:createrole'])

const isLike = (pattern: string, action: string): boolean =>
  new RegExp(`^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`).test(action)

/** Some action is meant by both patterns; what a managed policy allows is anybody's guess. */
function mayDo(asked: string, { targets }: Facts): boolean {
  if (targets.some((text) => text.startsWith('aws:policy:'))) return true
  const own = targets.filter((text) => text.startsWith('aws:action:')).map((text) => text.slice(11))
  return own.some((pattern) => ACTIONS.some((one) => isLike(pattern, one) && isLike(asked, one)))
}

/** What each field means, told a second time and in other words. */
const MEANINGS: Readonly<Record<string, (asked: string, l: Facts) => boolean>> = {
  agent: is('agent'),
  owner: is('owner'),
  environment: is('environment'),
  issuer: is('issuer'),
  template: is('template'),
  provider: is('provider'),
  subject: (asked, l) => asked === `${l.issuer}#s`,
  templateVersion: (asked, l) => asked === String(l.version),
  repository: (asked, l) =>
    ['github', 'resource'].some((by) => l.targets.includes(`${by}:repo:${asked}`)),
  organisation: (asked, l) => l.targets.includes(`github:org:${asked}`),
  permission(asked, l) {
    const [name = '', level = ''] = asked.split(':')
    if (name === 'vault') return l.targets.includes(`vault:capability:${level}`)
    if (!LEVELS.includes(level)) return mayDo(asked.toLowerCase(), l)
    const enough = LEVELS.slice(LEVELS.indexOf(level))
    return enough.some((each) => l.targets.includes(`github:permission:${name}:${each}`))
  },
  awsAccount: (asked, l) => l.targets.includes(`aws:account:${asked}`),
  awsRole: (asked, l) => l.targets.includes(`aws:role:${asked}`),
  vaultPath: (asked, l) =>
    paths(l).some((path) => {
      const prefix = path.endsWith('/*') ? path.slice(0, -1) : null
      const covers = prefix !== null && asked.startsWith(prefix)
      return path === asked || path.startsWith(`${asked}/`) || covers
    }),
  createdAfter: (asked) => asked < '2050',
  createdBefore: (asked) => asked > '2050',
}

function shouldMatch(s: Selector, l: Facts): boolean {
  return Object.entries(s).every(([field, asked]) => MEANINGS[field]?.(String(asked), l) === true)
}

async function intentOf(l: Facts, lifted: boolean) {
  const token = workloadToken({ issuer: l.issuer, subject: 's' })
  const { agent, owner, environment } = l
  const task = await openTask(world.store.tasks, { token, agent, owner, environment })
  const intent = leaseIntent(task, { provider: l.provider, targets: l.targets })
  const { template, version: templateVersion } = l
  const decision = { ...intent.decision, template, templateVersion }
  return { ...intent, decision, task, pending: lifted }
}

test('R92 a preview finds what a selector means, and a freeze refuses just that', async () => {
  await fc.assert(
    fc.asyncProperty(facts, selector, async (l, asked) => {
      const expected = shouldMatch(asked, l)
      const lease = await openLease(world, await intentOf(l, true))
      const { leases } = await world.store.containments.preview(asked, 10_000)
      expect([asked, leases.some(({ id }) => id === lease.id)]).toEqual([asked, expected])
      for (const live of [{ live: true }, {}]) {
        const listed = await world.store.leases.list({ selector: asked, ...live, limit: 10_000 })
        expect([asked, listed.some(({ id }) => id === lease.id)]).toEqual([asked, expected])
      }
      expect(await world.store.leases.list({ selector: asked, live: false, limit: 9 })).toEqual([])

      const id = freshId('frz')
      const by = { createdBy: 'people#r', reason: 'r', expiresAt: null }
      await world.store.freezes.create({ id, selector: asked, ...by })
      const minted = await openLease(world, await intentOf(l, true)).then(
        () => 'opened',
        (error: unknown) => (error as { code: string }).code,
      )
      await world.store.freezes.lift(id, { by: 'people#r', reason: 'done' })
      expect([asked, minted]).toEqual([asked, expected ? 'frozen' : 'opened'])
    }),
    { numRuns: 250 },
  )
})

test('a selector of one lease or task selects that one', async () => {
  const lease = await openLease(world)
  const idsOf = async (asked: Selector) => {
    const { leases } = await world.store.containments.preview(asked, 10)
    return leases.map(({ id }) => id)
  }
  expect(await idsOf({ lease: lease.id })).toEqual([lease.id])
  expect(await idsOf({ task: lease.taskId })).toEqual([lease.id])
})

test.each(['{}', '{"agent": null}', '{"nobody": "x"}', '{"everything": true, "agent": "a"}', '[]'])(
  'the database does not store %s as a selector',
  async (json) => {
    await expect(
      world.sql(
        `INSERT INTO freezes (id, selector, reason, created_by) VALUES ('frz_bad', $1, 'r', 'x')`,
        [json],
      ),
    ).rejects.toMatchObject({ constraint: 'freezes_selector_check' })
  },
)
