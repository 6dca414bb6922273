import { brokerClient } from '../broker.ts'
import type { Command } from '../command.ts'
import { colorsFor, leaseTable } from '../lease-table.ts'
import { LEASE_QUERY_OPTIONS, leaseQueryOf } from '../lease-query.ts'
import { parseOptions } from '../parse-options.ts'
import { SELECTOR_HELP } from '../selector-options.ts'
import { operatorOrTaskToken, TASK_TOKEN_OPTIONS, TOKEN_OPTIONS } from '../tokens.ts'
import { UsageError } from '../usage-error.ts'
import { writeJson } from '../write-json.ts'

const help = `mayfly leases [--live] [--repository OWNER/NAME] [--aws-account ID] …

Lists leases, the newest first. With an operator's token (MAYFLY_OPERATOR_TOKEN,
MAYFLY_OPERATOR_TOKEN_FILE or --token-file) all of them; with a task token those of its task.

${SELECTOR_HELP}
      --target TARGET    one of the targets that a lease is shown with, exactly

      --live             only those whose credential may still work
      --limit N          no more than N (100)
      --token-file PATH  where the operator token is
      --task-token-file PATH
                         where the task token is
      --json             one JSON document on standard output
`

const options = {
  ...TOKEN_OPTIONS,
  ...TASK_TOKEN_OPTIONS,
  ...LEASE_QUERY_OPTIONS,
  live: { type: 'boolean' },
  limit: { type: 'string' },
  json: { type: 'boolean' },
} as const

export const leases: Command = {
  summary: 'list leases and what became of them',
  help,
  async run(args, terminal) {
    const { values } = parseOptions(args, options)
    const { live, limit } = values
    const list = await brokerClient(terminal).listLeases(
      {
        ...leaseQueryOf(values),
        ...(live !== undefined && { live }),
        ...(limit !== undefined && { limit: parseLimit(limit) }),
      },
      { token: await operatorOrTaskToken(terminal, values) },
    )
    if (values.json) writeJson(terminal.stdout, list)
    else if (list.leases.length === 0) terminal.stderr.write('no leases\n')
    else terminal.stdout.write(leaseTable(list.leases, colorsFor(terminal)))
    if (list.truncated) terminal.stderr.write(`there are more: ask with a larger --limit\n`)
    return 0
  },
}

function parseLimit(text: string): number {
  const limit = Number(text)
  if (Number.isInteger(limit) && limit >= 1 && limit <= 1000) return limit
  throw new UsageError('--limit is a number from 1 to 1000')
}
