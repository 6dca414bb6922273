import { brokerClient } from '../broker.ts'
import type { Command } from '../command.ts'
import { parseOptions } from '../parse-options.ts'
import { taskIdOf } from '../task-id.ts'
import {
  operatorOrTaskToken,
  requiredTaskToken,
  TASK_TOKEN_OPTIONS,
  TOKEN_OPTIONS,
} from '../tokens.ts'
import { UsageError } from '../usage-error.ts'
import { writeJson } from '../write-json.ts'

const help = `mayfly task close [ID]

Closes a task and revokes every credential in it. Without ID, the task of the task token
(MAYFLY_TASK_TOKEN, MAYFLY_TASK_TOKEN_FILE or --task-token-file). With ID, an operator's token
(MAYFLY_OPERATOR_TOKEN, MAYFLY_OPERATOR_TOKEN_FILE or --token-file) will do as well.

      --task-token-file PATH
                         where the task token is
      --token-file PATH  where the operator token is
      --json             one JSON document on standard output
`

const options = { ...TASK_TOKEN_OPTIONS, ...TOKEN_OPTIONS, json: { type: 'boolean' } } as const

export const taskClose: Command = {
  summary: 'close a task and revoke all its credentials',
  help,
  async run(args, terminal) {
    const { values, positionals } = parseOptions(args, options, { allowPositionals: true })
    const [id, ...others] = positionals
    if (others.length > 0) throw new UsageError('name one task')
    const token =
      id === undefined
        ? await requiredTaskToken(terminal, values['task-token-file'])
        : await operatorOrTaskToken(terminal, values)
    const closed = await brokerClient(terminal).closeTask(id ?? taskIdOf(token), { token })
    if (values.json) {
      writeJson(terminal.stdout, closed)
      return 0
    }
    const count = closed.leaseIds.length
    terminal.stdout.write(
      `task ${closed.task.id} is closed; ${String(count)} ${count === 1 ? 'lease is' : 'leases are'} being revoked\n`,
    )
    return 0
  },
}
