import { brokerClient } from '../broker.ts'
import type { Command } from '../command.ts'
import { instantAfter } from '../duration.ts'
import { freezeText } from '../freeze-table.ts'
import { parseOptions } from '../parse-options.ts'
import { readSelector, SELECTOR_HELP, SELECTOR_OPTIONS } from '../selector-options.ts'
import { operatorToken, TOKEN_OPTIONS } from '../tokens.ts'
import { UsageError } from '../usage-error.ts'
import { writeJson } from '../write-json.ts'

const help = `mayfly freeze SELECTOR --reason TEXT [--for DURATION]

Stops issuing what the selector matches, in every broker, at once. What is live stays live: to kill
it as well, use \`mayfly contain\`. Needs an operator's token with the role responder
(MAYFLY_OPERATOR_TOKEN, MAYFLY_OPERATOR_TOKEN_FILE or --token-file).

${SELECTOR_HELP}

      --reason TEXT             why; it is kept
      --for DURATION            ends by itself after so long; until lifted unless told
      --token-file PATH         where the operator token is
      --json                    one JSON document on standard output
`

const options = {
  ...TOKEN_OPTIONS,
  ...SELECTOR_OPTIONS,
  reason: { type: 'string' },
  for: { type: 'string' },
  json: { type: 'boolean' },
} as const

export const freeze: Command = {
  summary: 'stop issuing, by selector',
  help,
  async run(args, terminal) {
    const { values } = parseOptions(args, options)
    const selector = readSelector(values)
    if (!values.reason?.trim()) throw new UsageError('say why with --reason')
    const created = await brokerClient(terminal).createFreeze(
      {
        selector,
        reason: values.reason,
        ...(values.for !== undefined && { expiresAt: instantAfter(values.for) }),
      },
      { token: await operatorToken(terminal, values['token-file']) },
    )
    if (values.json) writeJson(terminal.stdout, { freeze: created })
    else terminal.stdout.write(freezeText(created))
    return 0
  },
}
