import { brokerClient } from '../broker.ts'
import type { Command } from '../command.ts'
import { freezeText } from '../freeze-table.ts'
import { parseOptions } from '../parse-options.ts'
import { operatorToken, TOKEN_OPTIONS } from '../tokens.ts'
import { UsageError } from '../usage-error.ts'
import { writeJson } from '../write-json.ts'

const help = `mayfly unfreeze FREEZE --reason TEXT

Lets mints through again. \`mayfly freezes\` lists what is frozen. Needs an operator's token with the
role responder (MAYFLY_OPERATOR_TOKEN, MAYFLY_OPERATOR_TOKEN_FILE or --token-file).

      --reason TEXT      why; it is kept
      --token-file PATH  where the operator token is
      --json             one JSON document on standard output
`

const options = {
  ...TOKEN_OPTIONS,
  reason: { type: 'string' },
  json: { type: 'boolean' },
} as const

export const unfreeze: Command = {
  summary: 'lift a freeze',
  help,
  async run(args, terminal) {
    const { values, positionals } = parseOptions(args, options, { allowPositionals: true })
    const [id, ...more] = positionals
    if (id === undefined || more.length > 0) throw new UsageError('name one freeze: frz_…')
    if (!values.reason?.trim()) throw new UsageError('say why with --reason')
    const call = { token: await operatorToken(terminal, values['token-file']) }
    const lifted = await brokerClient(terminal).liftFreeze(id, values.reason, call)
    if (values.json) writeJson(terminal.stdout, { freeze: lifted })
    else terminal.stdout.write(freezeText(lifted))
    return 0
  },
}
