import type { LeaseBody } from '@mayfly/protocol'
import { createColors } from 'picocolors'

import { plainTable } from './plain-table.ts'
import { printable } from './printable.ts'
import type { Terminal } from './terminal.ts'

type Colors = ReturnType<typeof createColors>

/** Colours are for people at a terminal who have not asked for none (https://no-color.org). */
export function colorsFor({ env, stdout }: Terminal): Colors {
  return createColors(stdout.isTTY === true && !env['NO_COLOR'])
}

/** Leases as a table. Without colours it is plain text, which greps. */
export function leaseTable(leases: readonly LeaseBody[], colors: Colors): string {
  return plainTable(
    ['LEASE', 'STATE', 'TEMPLATE', 'TARGETS', 'AGENT', 'ENDS', 'NOTE'],
    leases.map((lease) => [
      lease.id,
      colorOf(lease.state, colors)(lease.state),
      printable(lease.template),
      lease.targets.map(printable).join('\n'),
      printable(lease.agent),
      lease.endedAt ?? lease.expiresAt,
      noteOf(lease),
    ]),
  )
}

function noteOf(lease: LeaseBody): string {
  if (lease.irrevocable) return printable(`cannot be revoked: ${lease.irrevocable.reason}`)
  return printable(lease.revocationProof ?? lease.revocationNote ?? '')
}

function colorOf(state: LeaseBody['state'], colors: Colors): (text: string) => string {
  switch (state) {
    case 'active':
    case 'pending':
      return colors.green
    case 'revoking':
      return colors.yellow
    case 'revocation_failed':
      return colors.red
    case 'failed':
    case 'revoked':
    case 'expired':
      return colors.dim
  }
}
