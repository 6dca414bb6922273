import { randomUUID } from 'node:crypto'

import type { AuthorizedCall, Client, ContainRequest } from '@mayfly/protocol'

import { brokerClient } from '../broker.ts'
import type { Command } from '../command.ts'
import { isDead, outcomeText, previewText } from '../containment-text.ts'
import { instantAfter, parseDuration } from '../duration.ts'
import { followContainment } from '../follow-containment.ts'
import { parseOptions } from '../parse-options.ts'
import { readLine } from '../read-line.ts'
import { readSelector, SELECTOR_HELP, SELECTOR_OPTIONS } from '../selector-options.ts'
import type { Terminal } from '../terminal.ts'
import { operatorToken, TOKEN_OPTIONS } from '../tokens.ts'
import { UsageError } from '../usage-error.ts'
import { writeJson } from '../write-json.ts'

const help = `mayfly contain SELECTOR --reason TEXT --incident ID [--dry-run | --yes]

Stops issuing what the selector matches, ends every live lease that it matches, and stays until each
credential is proven dead. Shows first what will die, and asks. Needs an operator's token with the
role responder (MAYFLY_OPERATOR_TOKEN, MAYFLY_OPERATOR_TOKEN_FILE or --token-file).

${SELECTOR_HELP}

      --reason TEXT             why; it is kept
      --incident ID             the incident's own id, wherever it is kept
      --dry-run                 shows what would die, and does nothing
      --yes                     does not ask
      --freeze-for DURATION     lets mints through again after so long; until lifted unless told
      --timeout DURATION        stops waiting for the deaths after so long (10m)
      --token-file PATH         where the operator token is
      --json                    one JSON document on standard output

Exit status: 0 nothing of it may be live, 3 something may still be live.
`

const options = {
  ...TOKEN_OPTIONS,
  ...SELECTOR_OPTIONS,
  reason: { type: 'string' },
  incident: { type: 'string' },
  'dry-run': { type: 'boolean' },
  yes: { type: 'boolean' },
  'freeze-for': { type: 'string' },
  timeout: { type: 'string' },
  json: { type: 'boolean' },
} as const

const MAY_BE_LIVE = 3

export const contain: Command = {
  summary: 'stop issuing and kill what is live, by selector',
  help,
  async run(args, terminal) {
    const { values } = parseOptions(args, options)
    const selector = readSelector(values)
    const client = brokerClient(terminal)
    const call = { token: await operatorToken(terminal, values['token-file']) }
    if (values['dry-run']) {
      const preview = await client.previewContainment({ selector }, call)
      if (values.json) writeJson(terminal.stdout, { preview })
      else terminal.stdout.write(previewText(preview))
      return 0
    }
    const request = { selector, ...whyAndHowLong(values) }
    const timeoutSeconds = parseDuration(values.timeout ?? '10m')
    if (!values.yes) await confirm(request, { client, call, terminal })
    const begun = await client.contain(request, { ...call, idempotencyKey: randomUUID() })
    await followContainment(begun, { client, call, terminal, timeoutSeconds })
    const detail = await client.getContainment(begun.id, {}, call)
    if (values.json) writeJson(terminal.stdout, detail)
    else terminal.stdout.write(outcomeText(detail))
    return isDead(detail.containment) ? 0 : MAY_BE_LIVE
  },
}

function whyAndHowLong(values: {
  readonly reason?: string
  readonly incident?: string
  readonly 'freeze-for'?: string
}): Omit<ContainRequest, 'selector'> {
  const { reason, incident } = values
  if (!reason?.trim()) throw new UsageError('say why with --reason')
  if (!incident?.trim()) throw new UsageError('name the incident with --incident')
  const freezeFor = values['freeze-for']
  return {
    reason,
    incident,
    ...(freezeFor !== undefined && { freezeUntil: instantAfter(freezeFor) }),
  }
}

interface Asking {
  readonly client: Client
  readonly call: AuthorizedCall
  readonly terminal: Terminal
}

/** What is typed is the number of leases, so that nobody agrees to more than they have read. */
async function confirm({ selector }: ContainRequest, { client, call, terminal }: Asking) {
  const { stdin, stderr } = terminal
  if (!(stdin.isTTY === true && stderr.isTTY === true)) {
    throw new UsageError('there is no terminal to ask on: say --yes, or look with --dry-run')
  }
  const preview = await client.previewContainment({ selector }, call)
  stderr.write(previewText(preview))
  if (preview.total === 0) return
  stderr.write(`Type ${String(preview.total)} to kill these leases: `)
  if ((await readLine(terminal)) !== String(preview.total)) {
    throw new UsageError('not confirmed: nothing was changed')
  }
}
