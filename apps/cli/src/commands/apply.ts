import { ProblemError, type ApplyPolicySetResponse } from '@mayfly/protocol'
import { z } from 'zod'

import { brokerClient } from '../broker.ts'
import type { Command } from '../command.ts'
import { parseOptions } from '../parse-options.ts'
import { InvalidFilesError, readPolicyFiles, type PolicyDocument } from '../policy-files.ts'
import { operatorToken, TOKEN_OPTIONS } from '../tokens.ts'
import { UsageError } from '../usage-error.ts'
import { writeJson } from '../write-json.ts'

const help = `mayfly apply -f PATH [-f PATH …] [--dry-run]

Replaces the policy set with the resources in the files, and in the YAML files below the folders,
all at once or not at all. Needs an operator's token with the role platform (MAYFLY_OPERATOR_TOKEN,
MAYFLY_OPERATOR_TOKEN_FILE or --token-file).

  -f, --file PATH        a file or a folder; may be repeated
      --dry-run          check everything, the templates' own tests included, and change nothing
      --token-file PATH  where the operator token is
      --json             one JSON document on standard output
`

const options = {
  ...TOKEN_OPTIONS,
  file: { type: 'string', multiple: true, short: 'f' },
  'dry-run': { type: 'boolean' },
  json: { type: 'boolean' },
} as const

export const apply: Command = {
  summary: 'check and apply a set of policies and templates',
  help,
  async run(args, terminal) {
    const { values } = parseOptions(args, options)
    if (!values.file) throw new UsageError('name a file or a folder with --file')
    const documents = await readPolicyFiles(values.file)
    const dryRun = values['dry-run'] ?? false
    const token = await operatorToken(terminal, values['token-file'])
    const answer = await brokerClient(terminal)
      .applyPolicySet({ resources: documents.map(({ json }) => json), dryRun }, { token })
      .catch((error: unknown) => {
        throw withPlaces(error, documents)
      })
    if (values.json) writeJson(terminal.stdout, answer)
    else terminal.stdout.write(`${inWords(answer, dryRun)}\n`)
    return 0
  },
}

function inWords({ applied, policySet }: ApplyPolicySetResponse, dryRun: boolean): string {
  const { version, digest, resources } = policySet
  const set = `${String(resources.length)} resources (digest ${digest.slice(0, 12)})`
  if (applied) return `policy set ${String(version)} is in force: ${set}`
  if (dryRun) return `valid: ${set}; nothing was changed`
  return `policy set ${String(version)} is in force already: ${set}`
}

const problemsSchema = z.array(
  z.looseObject({ resource: z.string(), path: z.string(), message: z.string() }),
)

/** The broker names resources; people look for files and lines. */
function withPlaces(error: unknown, documents: readonly PolicyDocument[]): unknown {
  if (!(error instanceof ProblemError) || error.problem.code !== 'policy_set_invalid') return error
  const problems = problemsSchema.safeParse(error.problem.details?.['problems'])
  if (!problems.success || problems.data.length === 0) return error
  return new InvalidFilesError(
    problems.data.map(({ resource, path, message }) => ({
      at: placeOf(resource, path, documents),
      message: [resource, path, message].filter((part) => part !== '').join(': '),
    })),
  )
}

function placeOf(resource: string, path: string, documents: readonly PolicyDocument[]): string {
  // A resource that has no usable name is called by its place in the request.
  const document =
    documents.find((_, index) => resource === `document ${String(index + 1)}`) ??
    documents.findLast(({ json }) => nameOf(json) === resource)
  return document?.locate(path) ?? resource
}

const named = z.looseObject({ kind: z.string(), metadata: z.looseObject({ name: z.string() }) })

function nameOf(json: unknown): string | null {
  const parsed = named.safeParse(json)
  return parsed.success ? `${parsed.data.kind}/${parsed.data.metadata.name}` : null
}
