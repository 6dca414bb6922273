import type { OpenedLease } from '@mayfly/protocol'

import { brokerClient } from '../broker.ts'
import type { Command } from '../command.ts'
import { variablesOf } from '../credential-environment.ts'
import { withDeclaredActions } from '../declared-actions.ts'
import { leaseFacts } from '../lease-facts.ts'
import { parseOptions } from '../parse-options.ts'
import { quoted } from '../printable.ts'
import { readRequests, readTtl, REQUEST_HELP, REQUEST_OPTIONS } from '../requests.ts'
import { taskIdOf } from '../task-id.ts'
import type { Terminal } from '../terminal.ts'
import { requiredTaskToken, TASK_TOKEN_OPTIONS } from '../tokens.ts'
import { UsageError } from '../usage-error.ts'
import { writeJson } from '../write-json.ts'

const help = `mayfly lease -t NAME [-a NAME] [-p KEY=VALUE]

Mints one credential inside the task of the task token, and shows its lease. The credential itself
is shown only when you insist, since whatever reads the output of this command would hold it too:
to use a credential, prefer \`mayfly run\`.

${REQUEST_HELP}
      --ttl DURATION     how long you need it (90s, 10m, 1h)
      --reason TEXT      why, for people and for the audit log
      --task-token-file PATH
                         where the task token is
      --unsafe-print     write the credential to standard output
      --json             one JSON document on standard output

Without --action, asks for all actions that the task declared for the template.
`

const options = {
  ...REQUEST_OPTIONS,
  ...TASK_TOKEN_OPTIONS,
  reason: { type: 'string' },
  'unsafe-print': { type: 'boolean' },
  json: { type: 'boolean' },
} as const

export const lease: Command = {
  summary: 'mint a credential and show its lease',
  help,
  async run(args, terminal) {
    const { values, tokens } = parseOptions(args, options)
    const requests = readRequests(tokens)
    if (requests.length > 1) throw new UsageError('a lease has one template')
    const token = await requiredTaskToken(terminal, values['task-token-file'])
    const client = brokerClient(terminal)
    const [request] = await withDeclaredActions(requests, () =>
      client.getTask(taskIdOf(token), { token }),
    )
    if (!request) throw new UsageError('name what you need with --template')
    const opened = await client.openLease(
      {
        template: request.template,
        actions: request.actions,
        parameters: request.parameters,
        ...readTtl(values.ttl),
        ...(values.reason !== undefined && { reason: values.reason }),
      },
      { token },
    )
    show(terminal, opened, { print: values['unsafe-print'] ?? false, json: values.json ?? false })
    return 0
  },
}

function show(
  terminal: Terminal,
  opened: OpenedLease,
  { print, json }: { readonly print: boolean; readonly json: boolean },
): void {
  if (json) {
    const revealed = Object.entries(opened.credential).map(([name, value]) => [
      name,
      value.reveal(),
    ])
    const credential: unknown = print ? Object.fromEntries(revealed) : null
    writeJson(terminal.stdout, { lease: opened.lease, credential })
  } else if (print) {
    terminal.stderr.write(leaseFacts(opened.lease))
    for (const [name, value] of Object.entries(variablesOf(opened))) {
      terminal.stdout.write(`export ${name}=${quoted(value)}\n`)
    }
  } else {
    terminal.stdout.write(leaseFacts(opened.lease))
  }
  if (!print) {
    terminal.stderr.write('mayfly: the credential is not shown; see `mayfly lease --help`\n')
  }
}
