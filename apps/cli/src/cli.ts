import { apply } from './commands/apply.ts'
import type { Command } from './command.ts'
import { contain } from './commands/contain.ts'
import { freeze } from './commands/freeze.ts'
import { freezes } from './commands/freezes.ts'
import { leak } from './commands/leak.ts'
import { lease } from './commands/lease.ts'
import { leases } from './commands/leases.ts'
import { run } from './commands/run.ts'
import { taskClose } from './commands/task-close.ts'
import { taskOpen } from './commands/task-open.ts'
import { unfreeze } from './commands/unfreeze.ts'
import { watch } from './commands/watch.ts'
import { webhooks } from './commands/webhooks.ts'
import { failureOf } from './failure.ts'
import type { Terminal } from './terminal.ts'
import { UsageError } from './usage-error.ts'
import { writeJson } from './write-json.ts'

const COMMANDS: ReadonlyMap<string, Command> = new Map([
  ['run', run],
  ['task open', taskOpen],
  ['task close', taskClose],
  ['lease', lease],
  ['leases', leases],
  ['watch', watch],
  ['leak', leak],
  ['contain', contain],
  ['freeze', freeze],
  ['unfreeze', unfreeze],
  ['freezes', freezes],
  ['apply', apply],
  ['webhooks', webhooks],
])

/** Runs one command line. Returns the exit status and never throws. */
export async function runCli(argv: readonly string[], terminal: Terminal): Promise<number> {
  const dashes = argv.indexOf('--')
  const ours = dashes === -1 ? argv : argv.slice(0, dashes)
  try {
    const found = findCommand(argv)
    if (wantsHelp(ours)) {
      terminal.stdout.write(found?.command.help ?? overview())
      return 0
    }
    if (!found) throw new UsageError(`no such command\n${overview()}`)
    return await found.command.run(found.args, terminal)
  } catch (error) {
    const { text, body, exitStatus } = failureOf(error)
    terminal.stderr.write(text)
    if (ours.includes('--json')) writeJson(terminal.stdout, body)
    return exitStatus
  }
}

function findCommand(
  argv: readonly string[],
): { readonly command: Command; readonly args: readonly string[] } | null {
  for (const words of [2, 1]) {
    const command = COMMANDS.get(argv.slice(0, words).join(' '))
    if (command) return { command, args: argv.slice(words) }
  }
  return null
}

function wantsHelp(argv: readonly string[]): boolean {
  return argv.length === 0 || argv[0] === 'help' || argv.includes('--help') || argv.includes('-h')
}

function overview(): string {
  const lines = [...COMMANDS].map(
    ([name, { summary }]) => `  mayfly ${name.padEnd(12)}${summary}\n`,
  )
  return `Credentials for what you are about to do, and for no longer than that.

${lines.join('')}
Set MAYFLY_URL to the address of the broker. \`mayfly COMMAND --help\` says more.
`
}
