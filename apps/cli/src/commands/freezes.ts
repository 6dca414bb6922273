import { brokerClient } from '../broker.ts'
import type { Command } from '../command.ts'
import { freezeTable } from '../freeze-table.ts'
import { parseOptions } from '../parse-options.ts'
import { operatorToken, TOKEN_OPTIONS } from '../tokens.ts'
import { writeJson } from '../write-json.ts'

const help = `mayfly freezes [--all]

Lists what is frozen, the newest first. Needs an operator's token with the role responder, platform
or auditor (MAYFLY_OPERATOR_TOKEN, MAYFLY_OPERATOR_TOKEN_FILE or --token-file).

      --all              those that are over, too
      --token-file PATH  where the operator token is
      --json             one JSON document on standard output
`

const options = {
  ...TOKEN_OPTIONS,
  all: { type: 'boolean' },
  json: { type: 'boolean' },
} as const

export const freezes: Command = {
  summary: 'list what is frozen',
  help,
  async run(args, terminal) {
    const { values } = parseOptions(args, options)
    const call = { token: await operatorToken(terminal, values['token-file']) }
    const query = values.all ? {} : { inForce: true }
    const found = await brokerClient(terminal).listFreezes(query, call)
    if (values.json) writeJson(terminal.stdout, { freezes: found })
    else if (found.length === 0) terminal.stderr.write('nothing is frozen\n')
    else terminal.stdout.write(freezeTable(found))
    return 0
  },
}
