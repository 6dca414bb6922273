import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'

import { defineConfig } from 'prisma/config'

// `prisma generate` insists on a schema engine that it never runs. Where the engine could not be
// downloaded, any executable satisfies the check; `prisma migrate` still needs the real one.
const engines = dirname(createRequire(import.meta.url).resolve('@prisma/engines/package.json'))
if (!existsSync(`${engines}/schema-engine`))
  process.env['PRISMA_SCHEMA_ENGINE_BINARY'] ??= process.execPath

export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
  datasource: { url: process.env['DATABASE_URL'] ?? 'postgresql://localhost/mayfly' },
})
