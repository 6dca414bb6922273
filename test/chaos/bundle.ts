import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { build } from 'esbuild'

/** The two processes under test, each in one file: they are started some hundred times. */
export interface Bundle {
  readonly broker: string
  readonly worker: string
  remove(): void
}

/** Three folders below the root, where the packages are: the store finds its migrations from there. */
const FOLDER = fileURLToPath(new URL(`../../.cache/chaos/${String(process.pid)}/`, import.meta.url))

/** What is WebAssembly, or finds its own files, stays where it is. */
const EXTERNAL = ['@cedar-policy/*', '@prisma/*', 'bullmq', 'ioredis', 'pg', 'pino']

/** What CommonJS inside an ES module expects to be there. */
const BANNER = [
  `import { createRequire as chaosRequire } from 'node:module'`,
  `const require = chaosRequire(import.meta.url)`,
  `const __filename = new URL(import.meta.url).pathname`,
  `const __dirname = new URL('.', import.meta.url).pathname`,
].join('\n')

export async function bundle(): Promise<Bundle> {
  const entry = (name: string): string =>
    fileURLToPath(new URL(`./${name}-with-faults.ts`, import.meta.url))
  await build({
    entryPoints: { broker: entry('broker'), worker: entry('worker') },
    outdir: FOLDER,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    conditions: ['@mayfly/source'],
    external: EXTERNAL,
    banner: { js: BANNER },
    logLevel: 'error',
  })
  return {
    broker: `${FOLDER}broker.mjs`,
    worker: `${FOLDER}worker.mjs`,
    remove: () => {
      rmSync(FOLDER, { recursive: true, force: true })
    },
  }
}
