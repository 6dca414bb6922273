import type { LeaseBody } from '@mayfly/protocol'
import Table from 'cli-table3'
import pc from 'picocolors'

/** One row per lease: what was asked, what the provider would have left alive, and how it ended. */
export function renderTimeline(leases: readonly LeaseBody[]): string {
  const table = new Table({
    head: [
      'Lease',
      'Asked',
      'Provider’s own expiry',
      'Ended',
      'Revoked at',
      'Lag',
      'Proof of death',
    ].map((title) => pc.bold(title)),
    style: { head: [], border: [] },
    colWidths: [18, 8, 14, 13, 14, 10, 44],
    wordWrap: true,
  })
  for (const lease of [...leases].sort((a, b) => a.createdAt.localeCompare(b.createdAt))) {
    table.push([
      `${pc.bold(lease.provider)}\n${pc.dim(`…${lease.id.slice(-10)}`)}`,
      `${String(lease.requestedTtlSeconds)} s`,
      `${time(lease.credentialExpiresAt)}\n${pc.dim(`+${minutes(lease)} min`)}`,
      lease.endReason ?? '–',
      lease.revokedAt ? time(lease.revokedAt) : pc.red(lease.state),
      lease.revocationLagMilliseconds === undefined
        ? '–'
        : `${String(lease.revocationLagMilliseconds)} ms`,
      lease.revocationProof ?? lease.revocationNote ?? '–',
    ])
  }
  return table.toString()
}

function time(instant: string): string {
  return instant.slice(11, 23)
}

function minutes(lease: LeaseBody): string {
  return ((Date.parse(lease.credentialExpiresAt) - Date.parse(lease.createdAt)) / 60_000).toFixed(1)
}
