import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { parseAllDocuments } from 'yaml'

const EXAMPLES = fileURLToPath(new URL('../../../examples/acme', import.meta.url))

/**
 * `examples/acme`, with one difference: the stand-in's IAM propagates in a fifth of a second, and
 * waiting for as long as AWS may need would only keep people waiting. Returns the folder.
 */
export function writeSandboxPolicies(folder: string): string {
  cpSync(EXAMPLES, folder, { recursive: true })
  const file = join(folder, 'connections.yaml')
  const documents = parseAllDocuments(readFileSync(file, 'utf8'))
  for (const document of documents) {
    if (document.getIn(['metadata', 'name']) === 'aws-acme')
      document.setIn(['spec', 'settings', 'propagationSeconds'], 1)
  }
  writeFileSync(file, documents.map(String).join(''))
  return folder
}
