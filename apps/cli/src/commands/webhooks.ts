import type { WebhookBody } from '@mayfly/protocol'

import { brokerClient } from '../broker.ts'
import type { Command } from '../command.ts'
import { parseOptions } from '../parse-options.ts'
import { plainTable } from '../plain-table.ts'
import { printable } from '../printable.ts'
import { operatorToken, TOKEN_OPTIONS } from '../tokens.ts'
import { writeJson } from '../write-json.ts'

const help = `mayfly webhooks

Lists the webhooks of the policy set in force and how far deliveries to each have got. Needs an
operator's token with the role responder, platform or auditor (MAYFLY_OPERATOR_TOKEN,
MAYFLY_OPERATOR_TOKEN_FILE or --token-file).

      --token-file PATH  where the operator token is
      --json             one JSON document on standard output
`

const options = { ...TOKEN_OPTIONS, json: { type: 'boolean' } } as const

export const webhooks: Command = {
  summary: 'list webhooks and how deliveries go',
  help,
  async run(args, terminal) {
    const { values } = parseOptions(args, options)
    const call = { token: await operatorToken(terminal, values['token-file']) }
    const found = await brokerClient(terminal).listWebhooks(call)
    if (values.json) writeJson(terminal.stdout, { webhooks: found })
    else if (found.length === 0) terminal.stderr.write('no webhooks\n')
    else terminal.stdout.write(webhookTable(found))
    return 0
  },
}

function webhookTable(found: readonly WebhookBody[]): string {
  return plainTable(
    ['WEBHOOK', 'STATE', 'PENDING', 'OLDEST', 'FAILURES', 'FAILING SINCE', 'LAST FAILURE', 'TO'],
    found.map((webhook) => [
      printable(webhook.name),
      webhook.state,
      `${String(webhook.pending)}${webhook.pendingOrMore ? '+' : ''}`,
      webhook.oldestPendingAt ?? '',
      String(webhook.failures),
      webhook.failingSince ?? '',
      printable(webhook.lastFailure ?? ''),
      printable(webhook.origin),
    ]),
  )
}
