import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { parseAllDocuments } from 'yaml'

const EXAMPLES = fileURLToPath(new URL('../../examples/acme', import.meta.url))

const HOURLY = ['spec', 'limits', 'mintsPerHour']

/**
 * `examples/acme` without its hourly limits, which a run of some hundred mints would meet, and with
 * an IAM that counts as propagated after a second: the stand-in's takes a fifth of one. Somebody
 * is told of everything.
 */
export function writeChaosPolicies(folder: string, hookUrl: string): string {
  cpSync(EXAMPLES, folder, { recursive: true })
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.yaml'))) {
    const documents = parseAllDocuments(readFileSync(join(folder, name), 'utf8'))
    for (const document of documents) {
      if (document.hasIn(HOURLY)) document.deleteIn(HOURLY)
      if (document.getIn(['metadata', 'name']) === 'aws-acme')
        document.setIn(['spec', 'settings', 'propagationSeconds'], 1)
    }
    writeFileSync(join(folder, name), documents.map(String).join(''))
  }
  writeFileSync(join(folder, 'webhook.yaml'), JSON.stringify(webhook(hookUrl)))
  return folder
}

function webhook(url: string): object {
  return {
    apiVersion: 'mayfly.dev/v1',
    kind: 'Webhook',
    metadata: { name: 'witness' },
    spec: { url, events: ['*'], secret: 'env:WITNESS_SECRET' },
  }
}
