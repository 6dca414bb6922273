import { rename, rm, writeFile } from 'node:fs/promises'

import { UsageError } from './usage-error.ts'

/**
 * Writes a file that only its owner can read. A file that is there already may be readable by
 * others, or be a link: it is replaced, never written to.
 */
export async function writePrivateFile(path: string, text: string): Promise<void> {
  const draft = `${path}.${String(process.pid)}.new`
  try {
    await writeFile(draft, text, { mode: 0o600, flag: 'wx' })
    await rename(draft, path)
  } catch (cause) {
    await rm(draft, { force: true })
    throw new UsageError(`${path} cannot be written`, { cause })
  }
}
