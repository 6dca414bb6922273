import { brokerClient } from '../broker.ts'
import type { Command } from '../command.ts'
import { colorsFor, leaseTable } from '../lease-table.ts'
import { parseOptions } from '../parse-options.ts'
import { operatorOrTaskToken, TASK_TOKEN_OPTIONS, TOKEN_OPTIONS } from '../tokens.ts'
import { UsageError } from '../usage-error.ts'
import { writeJson } from '../write-json.ts'

const help = `mayfly leases [--live] [--target TARGET] [--agent NAME] [--task ID]

Lists leases, the newest first. With an operator's token (MAYFLY_OPERATOR_TOKEN,
MAYFLY_OPERATOR_TOKEN_FILE or --token-file) all of them; with a task token those of its task.

      --live             only those whose credential may still work
      --target TARGET    only those that reach it, such as github:repo:acme/payments
      --agent NAME       only those of one agent
      --task ID          only those of one task
      --limit N          no more than N (100)
      --token-file PATH  where the operator token is
      --task-token-file PATH
                         where the task token is
      --json             one JSON document on standard output
`

const options = {
  ...TOKEN_OPTIONS,
  ...TASK_TOKEN_OPTIONS,
  live: { type: 'boolean' },
  target: { type: 'string' },
  agent: { type: 'string' },
  task: { type: 'string' },
  limit: { type: 'string' },
  json: { type: 'boolean' },
} as const

export const leases: Command = {
  summary: 'list leases and what became of them',
  help,
  async run(args, terminal) {
    const { values } = parseOptions(args, options)
    const { live, target, agent, task, limit } = values
    const found = await brokerClient(terminal).listLeases(
      {
        ...(live !== undefined && { live }),
        ...(target !== undefined && { target }),
        ...(agent !== undefined && { agent }),
        ...(task !== undefined && { taskId: task }),
        ...(limit !== undefined && { limit: parseLimit(limit) }),
      },
      { token: await operatorOrTaskToken(terminal, values) },
    )
    if (values.json) writeJson(terminal.stdout, { leases: found })
    else if (found.length === 0) terminal.stderr.write('no leases\n')
    else terminal.stdout.write(leaseTable(found, colorsFor(terminal)))
    return 0
  },
}

function parseLimit(text: string): number {
  const limit = Number(text)
  if (Number.isInteger(limit) && limit >= 1 && limit <= 1000) return limit
  throw new UsageError('--limit is a number from 1 to 1000')
}
