import { createHash } from 'node:crypto'

import { z } from 'zod'

import type { ChaosStack } from './chaos-stack.ts'

/** One credential that a stand-in has issued, as the stand-in tells it. */
export interface IssuedCredential {
  readonly provider: 'github' | 'aws' | 'vault'
  readonly id: string
  /** The lease that it was made for, where the provider was told. */
  readonly leaseId: string | null
  /** Base64 SHA-256 of the secret, where the stand-in has it. */
  readonly fingerprint: string | null
  readonly issuedAt: Date
  readonly expiresAt: Date | null
  readonly live: boolean
}

const leaseSchema = z.object({
  id: z.string(),
  provider: z.enum(['github', 'aws', 'vault']),
  template: z.string(),
  state: z.string(),
  fingerprints: z.array(z.string()).nullable(),
  created_at: z.date(),
  irrevocable_dies_at: z.date().nullable(),
  sent_at: z.date().nullable(),
  revocation_proof: z.string().nullable(),
})

export type LeaseRecord = z.output<typeof leaseSchema>

const LEASES = `SELECT id, provider, template, state, fingerprints, created_at, irrevocable_dies_at,
  sent_at, revocation_proof FROM leases ORDER BY created_at, id`

const CALLED_DEAD = new Set(['revoked', 'expired', 'failed'])

export interface Verdict {
  readonly issued: readonly IssuedCredential[]
  readonly leases: readonly LeaseRecord[]
  /** Live, and not excused by a lease that says `irrevocable` until it dies. */
  readonly live: readonly IssuedCredential[]
  /** Live, and its lease says so. */
  readonly irrevocable: readonly IssuedCredential[]
  /** Broken promises, whatever else may still happen. */
  readonly broken: readonly string[]
}

/** Everything that the stand-ins ever issued. */
export function askStandins({ standins }: ChaosStack): readonly IssuedCredential[] {
  const { github, aws, vault } = standins
  const working = {
    github: new Set(github.live().map(({ token }) => token)),
    aws: new Set(aws.live().map(({ accessKeyId }) => accessKeyId)),
    vault: new Set(vault.live().map(vaultId)),
  }
  return [
    ...github.issued().map(({ token, issuedAt, expiresAt }) => ({
      ...{ provider: 'github' as const, id: sha256(token), leaseId: null },
      ...{ fingerprint: sha256(token), issuedAt, expiresAt, live: working.github.has(token) },
    })),
    ...aws.issued().map(({ accessKeyId, sessionName, issuedAt, expiresAt }) => ({
      ...{ provider: 'aws' as const, id: accessKeyId, leaseId: sessionName, fingerprint: null },
      ...{ issuedAt, expiresAt, live: working.aws.has(accessKeyId) },
    })),
    ...vault.issued().map((one) => ({
      ...{ provider: 'vault' as const, id: vaultId(one), leaseId: one.meta?.['lease'] ?? null },
      ...{ issuedAt: one.issuedAt, expiresAt: one.expiresAt, fingerprint: null },
      live: working.vault.has(vaultId(one)),
    })),
  ]
}

function vaultId({ accessor, leaseId }: { accessor: string; leaseId: string | null }): string {
  return leaseId ?? accessor
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64')
}

/**
 * Compares the lease table with what the providers have issued. The providers are asked before and
 * after the table is read: what was issued before must be known to it, and what it calls dead must
 * be dead after. Null while the database is away.
 */
export async function judge(stack: ChaosStack): Promise<Verdict | null> {
  const before = new Set(askStandins(stack).map(({ id }) => id))
  const rows = await stack.rows(LEASES)
  if (rows === null) return null
  const leases = z.array(leaseSchema).parse(rows)
  const issued = askStandins(stack)
  const fresh = issued.filter(({ id }) => !before.has(id))
  return compare(leases, issued, fresh)
}

/** Pure, so that it can be tested by itself. */
export function compare(
  leases: readonly LeaseRecord[],
  issued: readonly IssuedCredential[],
  /** Those that may be younger than what is known of the leases. */
  fresh: readonly IssuedCredential[] = [],
): Verdict {
  const judged = issued.filter((one) => !fresh.includes(one))
  const leaseOf = matched(leases, judged)
  const excused = (one: IssuedCredential): boolean => {
    const diesAt = leaseOf.get(one)?.irrevocable_dies_at
    return diesAt != null && one.expiresAt !== null && diesAt >= one.expiresAt
  }
  const broken = judged.flatMap((one) => {
    const lease = leaseOf.get(one)
    if (!lease) return [`${one.provider} issued ${one.id}, which no lease knows of`]
    if (one.live && CALLED_DEAD.has(lease.state) && !excused(one)) return [calledDead(lease, one)]
    return []
  })
  return {
    leases,
    issued,
    broken,
    live: issued.filter((one) => one.live && !excused(one)),
    irrevocable: issued.filter((one) => one.live && excused(one)),
  }
}

function calledDead(lease: LeaseRecord, { provider }: IssuedCredential): string {
  const proof = lease.revocation_proof ?? 'no proof'
  return `${lease.id} is ${lease.state} (${proof}), and its ${provider} credential works`
}

/**
 * AWS and Vault were told the lease's id. A GitHub token is known by its fingerprint; one whose
 * answer was lost left none, and belongs to a lease that has none either and was opened before it.
 */
function matched(
  leases: readonly LeaseRecord[],
  issued: readonly IssuedCredential[],
): ReadonlyMap<IssuedCredential, LeaseRecord> {
  const byId = new Map(leases.map((lease) => [lease.id, lease]))
  const byFingerprint = new Map(
    leases.flatMap((lease) => (lease.fingerprints ?? []).map((print) => [print, lease] as const)),
  )
  const found = new Map<IssuedCredential, LeaseRecord>()
  for (const one of issued) {
    const lease =
      one.leaseId !== null ? byId.get(one.leaseId) : byFingerprint.get(one.fingerprint ?? '')
    if (lease?.provider === one.provider) found.set(one, lease)
  }
  const unprinted = leases.filter(
    ({ provider, fingerprints }) => provider === 'github' && (fingerprints ?? []).length === 0,
  )
  const lost = issued.filter((one) => one.provider === 'github' && !found.has(one))
  for (const one of lost.toSorted((a, b) => Number(b.issuedAt) - Number(a.issuedAt))) {
    // The youngest lease that was opened before: latest credential first, so that each gets its own.
    const index = unprinted.findLastIndex(({ created_at }) => created_at <= one.issuedAt)
    const [lease] = index < 0 ? [] : unprinted.splice(index, 1)
    if (lease) found.set(one, lease)
  }
  return found
}
