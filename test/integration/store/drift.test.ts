import { fileURLToPath } from 'node:url'

import { expect, test } from '@jest/globals'
import pg from 'pg'

import { createDatabase, createEmptyDatabase } from '../../support/database.ts'
import { sqlOfSchema } from '../../support/schema-engine.ts'

const SCHEMA = fileURLToPath(new URL('../../../prisma/schema.prisma', import.meta.url))

/**
 * Everything that Prisma's schema language can say; checks, triggers and storage parameters of indexes
 * are the migrations' own.
 */
const SHAPE = `
  SELECT 'column' AS what, table_name || '.' || column_name AS name,
      concat_ws(' ', udt_name, datetime_precision, is_nullable, column_default) AS shape
    FROM information_schema.columns WHERE table_schema = 'public'
  UNION ALL
  SELECT 'index', indexname, regexp_replace(indexdef, ' WITH \\([^)]*\\)', '') FROM pg_indexes WHERE schemaname = 'public'
  UNION ALL
  SELECT 'constraint', conname, conrelid::regclass || ' ' || pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype IN ('p', 'f', 'u')
  ORDER BY 1, 2`

async function shapeOf(connectionString: string, sql = ''): Promise<readonly unknown[]> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  await client.query(sql)
  const { rows } = await client.query<{ name: string; shape: string }>(SHAPE)
  await client.end()
  return rows.filter(({ name, shape }) => !`${name} ${shape}`.includes('_prisma_migrations'))
}

test('the migrations build exactly what the Prisma schema describes', async () => {
  const [migrated, described] = [await createDatabase(), await createEmptyDatabase()]
  const sql = await sqlOfSchema(SCHEMA, described.connectionString)
  const shape = await shapeOf(migrated.connectionString)
  expect(shape.length).toBeGreaterThan(80)
  expect(shape).toEqual(await shapeOf(described.connectionString, sql))
  await Promise.all([migrated.drop(), described.drop()])
})
