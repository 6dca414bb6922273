import { setTimeout as pause } from 'node:timers/promises'

import type { LeaseBody } from '@mayfly/protocol'

import { brokerClient } from '../broker.ts'
import type { Command } from '../command.ts'
import { parseDuration } from '../duration.ts'
import { colorsFor, leaseTable } from '../lease-table.ts'
import { LEASE_QUERY_OPTIONS, leaseQueryOf } from '../lease-query.ts'
import { parseOptions } from '../parse-options.ts'
import { SELECTOR_HELP } from '../selector-options.ts'
import type { Terminal } from '../terminal.ts'
import { operatorOrTaskToken, TASK_TOKEN_OPTIONS, TOKEN_OPTIONS } from '../tokens.ts'
import { UsageError } from '../usage-error.ts'

const help = `mayfly watch [--repository OWNER/NAME] [--aws-account ID] …

Shows the live leases and redraws them as they come and go; q or Ctrl-C ends it. Without a terminal
each change is a line. Takes the tokens of \`mayfly leases\`.

${SELECTOR_HELP}
      --target TARGET    one of the targets that a lease is shown with, exactly

      --every DURATION   looks again after so long (1s)
      --count N          ends after looking N times
      --token-file PATH  where the operator token is
      --task-token-file PATH
                         where the task token is
      --json             each look as one line of JSON
`

const options = {
  ...TOKEN_OPTIONS,
  ...TASK_TOKEN_OPTIONS,
  ...LEASE_QUERY_OPTIONS,
  every: { type: 'string' },
  count: { type: 'string' },
  json: { type: 'boolean' },
} as const

export const watch: Command = {
  summary: 'watch live leases come and go',
  help,
  async run(args, terminal) {
    const { values } = parseOptions(args, options)
    const client = brokerClient(terminal)
    const query = { ...leaseQueryOf(values), live: true, limit: 1000 }
    const everyMs = parseDuration(values.every ?? '1s') * 1000
    const show = values.json ? jsonLines(terminal) : viewFor(terminal)
    const ended = new AbortController()
    const stopListening = terminal.listen?.((key) => {
      if (ENDING.has(key)) ended.abort()
    })
    try {
      for (let left = timesOf(values.count); ; left -= 1) {
        // Read anew each time: a token that is renewed in its file is good for hours.
        const token = await operatorOrTaskToken(terminal, values)
        const { leases } = await client.listLeases(query, { token })
        show(leases)
        if (left <= 1) return 0
        await pause(everyMs, undefined, { signal: ended.signal }).catch(() => undefined)
        if (ended.signal.aborted) return 0
      }
    } finally {
      stopListening?.()
    }
  },
}

/** `q`, Ctrl-C and Ctrl-D. */
const ENDING = new Set(['q', '\u0003', '\u0004'])

function timesOf(count: string | undefined): number {
  const times = count === undefined ? Infinity : Number(count)
  if (times >= 1) return times
  throw new UsageError('--count is a number from 1')
}

type Show = (leases: readonly LeaseBody[]) => void

function jsonLines({ stdout }: Terminal): Show {
  return (leases) => void stdout.write(`${JSON.stringify({ leases })}\n`)
}

function viewFor(terminal: Terminal): Show {
  return terminal.stdout.isTTY === true ? redrawn(terminal) : changes(terminal)
}

/** The cursor goes home and what is left of the last picture is wiped: no flicker, no scrolling. */
function redrawn(terminal: Terminal): Show {
  const colors = colorsFor(terminal)
  return (leases) => {
    const head = `${String(leases.length)} live leases at ${new Date().toISOString()} (q ends)\n\n`
    const body = leases.length === 0 ? 'nothing is live\n' : leaseTable(leases, colors)
    const text = `${head}${body}`.replaceAll('\n', '\u001B[K\n')
    terminal.stdout.write(`\u001B[H${text}\u001B[J`)
  }
}

function changes({ stdout }: Terminal): Show {
  let before = new Map<string, string>()
  return (leases) => {
    const now = new Map(leases.map((lease) => [lease.id, lease.state]))
    for (const { id, state, template, agent, targets } of leases) {
      if (before.get(id) !== state) {
        stdout.write(`${id} ${state} ${template} ${agent} ${targets.join(',')}\n`)
      }
    }
    for (const id of before.keys()) if (!now.has(id)) stdout.write(`${id} gone\n`)
    before = now
  }
}
