import type { ContainmentBody, CredentialText } from '@mayfly/protocol'
import pg from 'pg'

import type { BenchWorld } from './bench-world.ts'
import { cpuSeconds } from './cpu-time.ts'

/** By what they are. */
export type ProcessIds = Readonly<Record<string, readonly number[]>>

export interface ContainmentTimes {
  readonly leases: number
  /** From the request until anybody could see the freeze. */
  readonly freezeMs: number
  /** From the request until it was answered: frozen, and every lease written down. */
  readonly answerMs: number
  /** From the request until the last credential was proven dead. */
  readonly lastProofMs: number
  readonly leasesPerSecond: number
  /** Milliseconds of processor time for each lease, by who spent them. */
  readonly cpuMs: Readonly<Record<string, number>>
}

const SELECTOR = { agent: 'bench' }
const FREEZE_WITHIN_MS = 30_000

/** Contains everything that is live, through the API, and lifts the freeze when all of it is dead. */
export async function containLeases(
  world: BenchWorld,
  leases: number,
  pids: ProcessIds,
): Promise<ContainmentTimes> {
  const client = new pg.Client({ connectionString: world.databaseUrl })
  await client.connect()
  try {
    const token = await world.signIn()
    const incident = `INC-${String(Date.now())}`
    const spent = startCpuTimes(pids)
    const startedAt = Date.now()
    const frozen = untilFrozen(client, incident)
    const asked = { selector: SELECTOR, reason: 'benchmark', incident }
    const { id, freezeId, total } = await world.client.contain(asked, { token })
    const answerMs = Date.now() - startedAt
    const freezeMs = (await frozen) - startedAt
    if (total !== leases)
      throw new Error(`${String(total)} of ${String(leases)} leases were contained`)
    await follow(world, id, { token, withinMs: 60_000 + leases * 20 })
    const cpuMs = spent(leases)
    const lastProofMs = (await lastProofAt(client, id)) - startedAt
    const live = await world.liveCredentials()
    if (live > 0) throw new Error(`the providers still accept ${String(live)} credentials`)
    await world.client.liftFreeze(freezeId, 'over', { token })
    const leasesPerSecond = leases / (lastProofMs / 1000)
    return { leases, freezeMs, answerMs, lastProofMs, leasesPerSecond, cpuMs }
  } finally {
    await client.end()
  }
}

/** Asks in a circle, in a session of its own: what it sees is committed. */
async function untilFrozen(client: pg.Client, incident: string): Promise<number> {
  const deadline = Date.now() + FREEZE_WITHIN_MS
  for (;;) {
    const { rowCount } = await client.query(
      'select from containments c join freezes f on f.id = c.freeze_id where c.incident = $1',
      [incident],
    )
    if (rowCount !== 0) return Date.now()
    if (Date.now() > deadline) throw new Error('nothing was frozen')
  }
}

/** As a responder's own program does. */
async function follow(
  world: BenchWorld,
  id: string,
  { token, withinMs }: { readonly token: CredentialText; readonly withinMs: number },
): Promise<void> {
  let last: ContainmentBody | null = null
  const signal = AbortSignal.timeout(withinMs)
  for await (last of world.client.watchContainment(id, { token, signal }));
  if (last?.state !== 'finished')
    throw new Error(`not contained in time: ${JSON.stringify(last?.counts)}`)
}

async function lastProofAt(client: pg.Client, id: string): Promise<number> {
  const { rows } = await client.query<{ at: Date; unproven: number }>(
    `select max(revoked_at) as at,
         count(*) filter (where revocation_proof is null)::int as unproven
       from contained_leases m join leases l on l.id = m.lease_id where m.containment_id = $1`,
    [id],
  )
  const [last] = rows
  if (!last || last.unproven > 0) throw new Error('a lease was called dead without a proof')
  return last.at.getTime()
}

function startCpuTimes(pids: ProcessIds): (leases: number) => Readonly<Record<string, number>> {
  const read = (): readonly (readonly [string, number])[] =>
    Object.entries(pids).map(([name, group]) => [name, sum(group.map(cpuSeconds))] as const)
  const before = new Map(read())
  return (leases) =>
    Object.fromEntries(
      read().map(([name, seconds]) => [
        name,
        ((seconds - (before.get(name) ?? 0)) * 1000) / leases,
      ]),
    )
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
