import type { OpenedTask } from '@mayfly/protocol'

import { brokerClient } from '../broker.ts'
import type { Command } from '../command.ts'
import { parseOptions } from '../parse-options.ts'
import { writePrivateFile } from '../private-file.ts'
import { quoted } from '../printable.ts'
import { readRequests, readTtl, REQUEST_HELP, REQUEST_OPTIONS } from '../requests.ts'
import { requireActions } from '../require-actions.ts'
import type { Terminal } from '../terminal.ts'
import { TASK_TOKEN_OPTIONS, TOKEN_OPTIONS, workloadToken } from '../tokens.ts'
import { UsageError } from '../usage-error.ts'
import { writeJson } from '../write-json.ts'

const help = `mayfly task open --intent TEXT -t NAME -a NAME [-p KEY=VALUE] --task-token-file PATH

Opens a task: all that it may ask for later is declared here. Proves who you are with a workload
token (MAYFLY_TOKEN, MAYFLY_TOKEN_FILE, --token-file, or the OIDC token of a GitHub Actions job).

${REQUEST_HELP}
      --intent TEXT      why, for people and for the audit log
      --ticket TEXT      the ticket that it is for
      --ttl DURATION     how long the task may last (90s, 10m, 1h)
      --task-token-file PATH
                         where to write the task token, readable by you alone
      --unsafe-print     write the task token to standard output
      --token-file PATH  where the workload token is
      --json             one JSON document on standard output
`

const options = {
  ...REQUEST_OPTIONS,
  ...TOKEN_OPTIONS,
  ...TASK_TOKEN_OPTIONS,
  intent: { type: 'string' },
  ticket: { type: 'string' },
  'unsafe-print': { type: 'boolean' },
  json: { type: 'boolean' },
} as const

export const taskOpen: Command = {
  summary: 'declare what you are about to do, and get a task token',
  help,
  async run(args, terminal) {
    const { values, tokens } = parseOptions(args, options)
    const { intent, ticket, 'task-token-file': file, 'unsafe-print': print = false } = values
    const declarations = readRequests(tokens)
    if (intent === undefined) throw new UsageError('say why with --intent')
    if (file === undefined && !print) {
      throw new UsageError('name a file for the task token with --task-token-file')
    }
    requireActions(declarations)
    const opened = await brokerClient(terminal).openTask(
      {
        intent: { reason: intent, ...(ticket !== undefined && { ticket }) },
        declarations: [...declarations],
        ...readTtl(values.ttl),
      },
      { token: await workloadToken(terminal, values['token-file']) },
    )
    if (file !== undefined) await writePrivateFile(file, opened.taskToken.reveal())
    show(terminal, opened, { file, print, json: values.json ?? false })
    return 0
  },
}

interface Shown {
  readonly file: string | undefined
  readonly print: boolean
  readonly json: boolean
}

function show(terminal: Terminal, opened: OpenedTask, { file, print, json }: Shown): void {
  const { task, taskToken, taskTokenExpiresAt } = opened
  if (json) {
    const token = print ? { taskToken: taskToken.reveal() } : {}
    writeJson(terminal.stdout, { task, ...token, taskTokenExpiresAt, taskTokenFile: file ?? null })
    return
  }
  terminal.stderr.write(
    `task ${task.id} is open until ${task.notAfter}; its token is good until ${taskTokenExpiresAt}\n`,
  )
  if (file !== undefined) {
    terminal.stdout.write(`export MAYFLY_TASK_TOKEN_FILE=${quoted(file)}\n`)
  }
  if (print) terminal.stdout.write(`export MAYFLY_TASK_TOKEN=${quoted(taskToken.reveal())}\n`)
}
