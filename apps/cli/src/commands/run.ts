import { basename } from 'node:path'

import { brokerClient } from '../broker.ts'
import type { Command } from '../command.ts'
import { childEnvironment } from '../credential-environment.ts'
import { parseOptions } from '../parse-options.ts'
import { printable } from '../printable.ts'
import { readRequests, readTtl, REQUEST_HELP, REQUEST_OPTIONS } from '../requests.ts'
import { runChild } from '../run-child.ts'
import { joinTask, openTask, type RunSession } from '../run-session.ts'
import { startSignalRelay, statusOf, type SignalRelay } from '../signal-relay.ts'
import type { Terminal } from '../terminal.ts'
import { TASK_TOKEN_OPTIONS, taskToken, TOKEN_OPTIONS, workloadToken } from '../tokens.ts'
import { UsageError } from '../usage-error.ts'

const help = `mayfly run -t NAME -a NAME [-p KEY=VALUE] [-t NAME …] -- COMMAND [ARGUMENT …]

Runs a command with credentials in its environment, and revokes them when it ends, however it ends.
Inside a task (MAYFLY_TASK_TOKEN, MAYFLY_TASK_TOKEN_FILE or --task-token-file) the credentials belong
to that task; otherwise a task is opened for the command alone, with a workload token.

${REQUEST_HELP}
      --ttl DURATION     how long the command needs them (90s, 10m, 1h)
      --intent TEXT      why, for people and for the audit log
      --ticket TEXT      the ticket that it is for
      --token-file PATH  where the workload token is
      --task-token-file PATH
                         where the task token is

The command gets   GitHub: GITHUB_TOKEN, GH_TOKEN
                   AWS: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION
                   Vault: VAULT_TOKEN, VAULT_ADDR; databases: DB_USERNAME, DB_PASSWORD
and no other credential of these providers, nor Mayfly's own tokens. Exits with the command's own
status, or with 128 and the number of the signal that ended it.
`

const options = {
  ...REQUEST_OPTIONS,
  ...TOKEN_OPTIONS,
  ...TASK_TOKEN_OPTIONS,
  intent: { type: 'string' },
  ticket: { type: 'string' },
} as const

export const run: Command = {
  summary: 'run a command with credentials that end with it',
  help,
  async run(args, terminal) {
    const { ours, command } = splitAtDashes(args)
    const { values, tokens } = parseOptions(ours, options)
    const requests = readRequests(tokens)
    const ttl = readTtl(values.ttl)
    const [program, ...rest] = command
    if (program === undefined) throw new UsageError('say what to run after --')

    const client = brokerClient(terminal)
    const relay = startSignalRelay()
    const open = async (): Promise<RunSession> => {
      const inherited = await taskToken(terminal, values['task-token-file'])
      if (inherited) return joinTask(client, inherited, requests)
      const { intent = `run ${basename(program)}`, ticket } = values
      return openTask(client, requests, {
        intent: { reason: intent, ...(ticket !== undefined && { ticket }) },
        workloadToken: () => workloadToken(terminal, values['token-file']),
        signal: relay.interrupted,
      })
    }
    return guarded(terminal, relay, open, async (session) => {
      const held = await session.lease(ttl, relay.interrupted)
      const env = childEnvironment(terminal.env, held)
      return runChild({ command: program, args: rest, env }, relay)
    })
  },
}

/** Whatever happens in between, the session ends before the process does. */
async function guarded(
  terminal: Terminal,
  relay: SignalRelay,
  open: () => Promise<RunSession>,
  work: (session: RunSession) => Promise<number>,
): Promise<number> {
  try {
    const session = await open()
    try {
      return await work(session)
    } finally {
      for (const complaint of await session.end()) {
        terminal.stderr.write(`mayfly: ${printable(complaint)}\n`)
      }
    }
  } catch (error) {
    const signal = relay.caught()
    if (signal) return statusOf(signal)
    throw error
  } finally {
    relay.stop()
  }
}

function splitAtDashes(args: readonly string[]): {
  readonly ours: readonly string[]
  readonly command: readonly string[]
} {
  const dashes = args.indexOf('--')
  if (dashes === -1) return { ours: args, command: [] }
  return { ours: args.slice(0, dashes), command: args.slice(dashes + 1) }
}
