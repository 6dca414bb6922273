import { readdirSync, readFileSync } from 'node:fs'

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'

import { startStoreWorld, type StoreWorld } from '../../support/store-world.ts'

const folder = new URL('../../../docs/runbooks/', import.meta.url)
const statements = readdirSync(folder).flatMap((name) =>
  [...readFileSync(new URL(name, folder), 'utf8').matchAll(/```sql\n([^`]+)```/g)].map(
    ([, sql = '']) => [name, sql.trim().replace(/;$/, '')] as const,
  ),
)

describe('the SQL of a runbook runs', () => {
  let world: StoreWorld
  beforeAll(async () => {
    world = await startStoreWorld()
  })
  afterAll(() => world.close())

  test.each(statements)('in %s', async (_name, sql) => {
    expect(sql).toMatch(/^SELECT\b/)
    expect(await world.sql(sql)).toEqual([])
  })
})
