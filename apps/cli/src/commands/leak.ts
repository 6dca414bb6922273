import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'

import { CredentialText, LEAK_MAX_LENGTH, type ReportLeakResponse } from '@mayfly/protocol'

import { brokerClient } from '../broker.ts'
import type { Command } from '../command.ts'
import { leakStory } from '../leak-story.ts'
import { parseOptions } from '../parse-options.ts'
import type { Terminal } from '../terminal.ts'
import { operatorToken, TOKEN_OPTIONS } from '../tokens.ts'
import { UsageError } from '../usage-error.ts'
import { writeJson } from '../write-json.ts'

const help = `mayfly leak [--file PATH | --sha256 HEX]

Finds the lease of a credential that turned up where it should not be, revokes it, and tells who got
it and why. The credential is read from standard input, or from a file; only its SHA-256 leaves this
machine. Needs an operator's token with the role responder (MAYFLY_OPERATOR_TOKEN,
MAYFLY_OPERATOR_TOKEN_FILE or --token-file).

      --file PATH        a file that holds the credential and nothing else
      --sha256 HEX       its SHA-256, in hexadecimal or base64, where that is all you have
      --token-file PATH  where the operator token is
      --json             one JSON document on standard output

Exit status: 0 the credential is dead, 3 it may still be live, 4 Mayfly never issued it.
`

const options = {
  ...TOKEN_OPTIONS,
  file: { type: 'string' },
  sha256: { type: 'string' },
  json: { type: 'boolean' },
} as const

const DEAD = 0
const MAY_BE_LIVE = 3
const UNKNOWN = 4

export const leak: Command = {
  summary: 'report a leaked credential: find its lease and revoke it',
  help,
  async run(args, terminal) {
    const { values, positionals } = parseOptions(args, options, { allowPositionals: true })
    // Not repeated: it may well be the credential, and standard error ends up in logs.
    if (positionals.length > 0) throw new UsageError('a command line is no place for a credential')
    const token = await operatorToken(terminal, values['token-file'])
    const sha256 = await sha256Of(values, terminal)
    const answer = await brokerClient(terminal).reportLeak({ sha256 }, { token })
    if (values.json) writeJson(terminal.stdout, answer)
    else terminal.stdout.write(leakStory(answer))
    return exitStatusOf(answer)
  },
}

function exitStatusOf({ found, leases }: ReportLeakResponse): number {
  if (!found) return UNKNOWN
  return leases.some(({ outcome }) => outcome === 'may_be_live') ? MAY_BE_LIVE : DEAD
}

async function sha256Of(
  { file, sha256 }: { readonly file?: string; readonly sha256?: string },
  { stdin }: Terminal,
): Promise<string> {
  if (file !== undefined && sha256 !== undefined) {
    throw new UsageError('--file or --sha256, not both')
  }
  if (sha256 !== undefined) return sha256
  const credential = file === undefined ? await readAll(stdin) : await readSecretFile(file)
  return createHash('sha256').update(credential.reveal()).digest('hex')
}

async function readSecretFile(path: string): Promise<CredentialText> {
  const text = await readFile(path, 'utf8').catch(() => {
    throw new UsageError(`the file ${path} cannot be read`)
  })
  return checked(text)
}

async function readAll(stdin: Terminal['stdin']): Promise<CredentialText> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of stdin) {
    size += chunk.byteLength
    if (size > 4 * LEAK_MAX_LENGTH) break
    chunks.push(chunk)
  }
  return checked(Buffer.concat(chunks).toString('utf8'))
}

function checked(text: string): CredentialText {
  const credential = text.trim()
  if (credential === '') throw new UsageError('there is no credential: it is empty')
  if (credential.length > LEAK_MAX_LENGTH) {
    throw new UsageError('that is longer than any credential')
  }
  // Several of them, or one with something around it, would hash to nothing that anybody knows.
  if (/\s/.test(credential)) throw new UsageError('send one credential, and nothing around it')
  return new CredentialText(credential)
}
