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
  targets: fc.uniqueArray(target, { maxLength: 5 }),
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

/** What a selector means, told a second time and in other words. */
function shouldMatch(s: Selector, l: Facts): boolean {
  const has = (text: string): boolean => l.targets.includes(text)
  const [permission, level = ''] = s.permission?.split(':') ?? []
  const paths = l.targets.filter((text) => text.startsWith('vault:path:')).map((t) => t.slice(11))
  const { vaultPath = '' } = s
  return [
    s.agent === undefined || s.agent === l.agent,
    s.subject === undefined || s.subject === `${l.issuer}#s`,
    s.owner === undefined || s.owner === l.owner,
    s.environment === undefined || s.environment === l.environment,
    s.issuer === undefined || s.issuer === l.issuer,
    s.template === undefined || s.template === l.template,
    s.templateVersion === undefined || s.templateVersion === l.version,
    s.provider === undefined || s.provider === l.provider,
    s.repository === undefined ||
      has(`github:repo:${s.repository}`) ||
      has(`resource:repo:${s.repository}`),
    s.organisation === undefined || has(`github:org:${s.organisation}`),
    permission === undefined ||
      LEVELS.slice(LEVELS.indexOf(level)).some((each) =>
        has(`github:permission:${permission}:${each}`),
      ),
    s.awsAccount === undefined || has(`aws:account:${s.awsAccount}`),
    s.awsRole === undefined || has(`aws:role:${s.awsRole}`),
    s.vaultPath === undefined ||
      paths.some((path) => {
        const prefix = path.endsWith('/*') ? path.slice(0, -1) : null
        return (
          path === vaultPath ||
          path.startsWith(`${vaultPath}/`) ||
          (prefix !== null && vaultPath.startsWith(prefix))
        )
      }),
    s.createdAfter === undefined || s.createdAfter < '2050',
    s.createdBefore === undefined || s.createdBefore > '2050',
  ].every(Boolean)
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

      const id = freshId('frz')
      const by = { createdBy: 'people#r', reason: 'r', expiresAt: null }
      await world.store.freezes.create({ id, selector: asked, ...by })
      const minted = await openLease(world, await intentOf(l, true)).then(
        () => 'opened',
        ({ code }: { code: string }) => code,
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
