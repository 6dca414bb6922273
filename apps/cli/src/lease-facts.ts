import type { LeaseBody } from '@mayfly/protocol'

import { printable } from './printable.ts'

/** What a person wants to know of a lease, as aligned lines. */
export function leaseFacts(lease: LeaseBody): string {
  const rows: [string, string][] = [
    ['lease', `${lease.id} (${lease.state})`],
    ['template', `${lease.template} version ${String(lease.templateVersion)}`],
    ['actions', lease.actions.join(', ')],
    ['targets', lease.targets.join(', ')],
    ['ends', lease.expiresAt],
    ['dies by', lease.credentialExpiresAt],
  ]
  if (lease.irrevocable) rows.push(['irrevocable', lease.irrevocable.reason])
  return rows.map(([name, value]) => `${name.padEnd(12)}${printable(value)}\n`).join('')
}
