import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

import { PrismaPg } from '@prisma/adapter-pg'
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils'
import * as bindings from '@prisma/schema-engine-wasm/schema_engine_bg'
import { z } from 'zod'

const require = createRequire(import.meta.url)

const diffSchema = z.object({ stdout: z.string() })

/** The part of Node's global that is used here: its types come only with the browser's. */
declare const WebAssembly: {
  instantiate(
    bytes: Uint8Array,
    imports: object,
  ): Promise<{ instance: { exports: { __wbindgen_start(): void } } }>
}

/**
 * The SQL that makes an empty database what a Prisma schema says. Runs Prisma's own engine as
 * WebAssembly, because its binary is a download.
 */
export async function sqlOfSchema(schemaFile: string, connectionString: string): Promise<string> {
  const module = require.resolve('@prisma/schema-engine-wasm/schema_engine_bg')
  const wasm = readFileSync(join(dirname(module), 'schema_engine_bg.wasm'))
  const { instance } = await WebAssembly.instantiate(wasm, { './schema_engine_bg.js': bindings })
  bindings.__wbg_set_wasm(instance.exports)
  instance.exports.__wbindgen_start()

  const factory = new PrismaPg({ connectionString })
  const engine = await bindings.SchemaEngine.new(
    { datamodels: undefined },
    () => undefined,
    bindMigrationAwareSqlAdapterFactory(factory),
  )
  const files = [{ path: schemaFile, content: readFileSync(schemaFile, 'utf8') }]
  const result: unknown = await engine.diff({
    from: { tag: 'empty' },
    to: { tag: 'schemaDatamodel', files },
    script: true,
    exitCode: null,
    filters: { externalTables: [], externalEnums: [] },
  })
  return diffSchema.parse(result).stdout
}
