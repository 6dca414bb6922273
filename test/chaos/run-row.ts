import { setTimeout as pause } from 'node:timers/promises'

import type { ChaosStack } from './chaos-stack.ts'
import { judge, type LeaseRecord, type Verdict } from './invariant.ts'
import { makeStage, NotSet, type Row } from './row.ts'
import { boundMs } from './settings.ts'

export interface RowResult {
  readonly group: string
  readonly name: string
  readonly queue: 'redis' | 'postgres'
  readonly outcome: 'held' | 'broken'
  /** How the leases of the row stand at its end: `revoked 3, irrevocable 1`. */
  readonly leases: string
  readonly issued: number
  readonly liveAtBound: number
  /** Credentials without a lease, called dead while alive, or leases that nobody looked after. */
  readonly brokenPromises: number
  /** From the fault until the last credential was dead, or its lease said that it cannot be. */
  readonly recoverySeconds: number | null
  readonly problems: readonly string[]
}

const HEAL_MS = 90_000
const LOOK_MS = 100

/** How often a row may fail to come about. */
const TRIES = 3

export async function runRow(stack: ChaosStack, row: Row): Promise<RowResult> {
  for (let tries = 1; ; tries += 1) {
    const { result, wasSet } = await tryRow(stack, row)
    const broke = result.liveAtBound > 0 || result.brokenPromises > 0
    if (wasSet || broke || tries === TRIES) return result
  }
}

async function tryRow(
  stack: ChaosStack,
  row: Row,
): Promise<{ readonly result: RowResult; readonly wasSet: boolean }> {
  await heal(stack)
  const before = await mustJudge(stack)
  const stage = makeStage(stack)
  const problems: string[] = []
  let wasSet = true
  const watch = startWatch(stack, before)
  try {
    await row.run(stage)
  } catch (error) {
    wasSet = !(error instanceof NotSet)
    problems.push(messageOf(error))
  }
  const seen = await watch.stop()
  const end = await untilOver({ stack, row, before, startedAt: stage.startedAt() })
  stack.plan([])
  healStandins(stack)
  const broken = [...seen, ...end.problems, ...(wasSet ? await unkept(stage.checks()) : [])]
  problems.push(...broken, ...objections(row, end.verdict))
  const result: RowResult = {
    ...{ group: row.group, name: row.name, queue: stack.queue },
    outcome: problems.length === 0 ? 'held' : 'broken',
    leases: summary(end.verdict.leases),
    issued: end.verdict.issued.length,
    liveAtBound: end.verdict.live.length,
    brokenPromises: broken.length,
    recoverySeconds: end.recoverySeconds,
    problems: [...new Set(problems)],
  }
  return { result, wasSet }
}

/** Compares the lease table with the providers for as long as the row is in motion. */
function startWatch(stack: ChaosStack, before: Verdict): { stop(): Promise<readonly string[]> } {
  const problems = new Set<string>()
  let over = false
  async function look(): Promise<void> {
    while (!over) {
      const startedAt = Date.now()
      const now = await judge(stack)
      if (now) for (const one of since(before, now).broken) problems.add(one)
      // No more than a fifth of the time, however long the table has become.
      await pause(Math.max(LOOK_MS, 4 * (Date.now() - startedAt)))
    }
  }
  const looking = look()
  return {
    async stop() {
      over = true
      await looking
      return [...problems]
    },
  }
}

async function unkept(checks: readonly (() => Promise<void>)[]): Promise<readonly string[]> {
  const problems: string[] = []
  for (const check of checks) {
    await check().catch((error: unknown) => problems.push(messageOf(error)))
  }
  return problems
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Nothing of the row before may be left over: its faults, its outages, its dead processes. */
async function heal(stack: ChaosStack): Promise<void> {
  stack.plan([])
  healStandins(stack)
  await stack.broker.untilReady()
  await stack.worker.untilReady()
  const deadline = Date.now() + HEAL_MS
  while (!(await isWell(stack))) {
    if (Date.now() > deadline) throw new Error('the stack does not come back')
    await pause(100)
  }
}

async function isWell(stack: ChaosStack): Promise<boolean> {
  const answer = await fetch(new URL('/readyz', stack.broker.url)).catch(() => null)
  return answer?.ok === true && (await judge(stack)) !== null
}

export function healStandins({ standins: { github, aws, vault } }: ChaosStack): void {
  github.faults.clear()
  aws.faults.clear()
  vault.fault({ fault: null })
}

async function mustJudge(stack: ChaosStack): Promise<Verdict> {
  const verdict = await judge(stack)
  if (!verdict) throw new Error('the database is away')
  return verdict
}

interface Waiting {
  readonly stack: ChaosStack
  readonly row: Row
  readonly before: Verdict
  readonly startedAt: number
}

interface End {
  readonly verdict: Verdict
  readonly recoverySeconds: number | null
  readonly problems: readonly string[]
}

async function untilOver({ stack, row, before, startedAt }: Waiting): Promise<End> {
  const deadline = startedAt + (row.boundMs ?? boundMs(stack.startMs))
  const problems = new Set<string>()
  let verdict: Verdict = { leases: [], issued: [], live: [], irrevocable: [], broken: [] }
  do {
    const now = await judge(stack)
    if (now) verdict = since(before, now)
    for (const broken of verdict.broken) problems.add(broken)
    if (now && isOver(verdict)) {
      const recoverySeconds = (Date.now() - startedAt) / 1000
      return { verdict, recoverySeconds, problems: [...problems] }
    }
    await pause(LOOK_MS)
  } while (Date.now() < deadline)
  return { verdict, recoverySeconds: null, problems: [...problems, ...leftOvers(verdict)] }
}

function isOver({ live, leases }: Verdict): boolean {
  return live.length === 0 && leases.every(isSettled)
}

function leftOvers({ live, leases }: Verdict): readonly string[] {
  const unsettled = leases.filter((lease) => !isSettled(lease))
  return [
    ...live.map(({ provider, leaseId, id }) => `${provider} ${leaseId ?? id} is live`),
    ...unsettled.map(({ id, template, state }) => `${id} (${template}) is ${state}`),
  ]
}

/** What has come since. What was broken before is not this row's. */
export function since(before: Verdict, now: Verdict): Verdict {
  const knownLeases = new Set(before.leases.map(({ id }) => id))
  const known = new Set(before.issued.map(({ id }) => id))
  const fresh = <One extends { readonly id: string }>(ones: readonly One[]): readonly One[] =>
    ones.filter(({ id }) => !known.has(id))
  return {
    leases: now.leases.filter(({ id }) => !knownLeases.has(id)),
    issued: fresh(now.issued),
    live: fresh(now.live),
    irrevocable: fresh(now.irrevocable),
    broken: now.broken.filter((text) => !before.broken.includes(text)),
  }
}

/**
 * Terminal, or honestly waiting: for the provider's clock (`irrevocable`), or for the time in which
 * Vault may still carry out a request whose answer was lost.
 */
function isSettled(lease: LeaseRecord): boolean {
  if (['revoked', 'failed', 'expired'].includes(lease.state)) return true
  if (lease.irrevocable_dies_at !== null) return true
  return lease.provider === 'vault' && lease.state === 'revoking' && lease.sent_at !== null
}

function objections(row: Row, verdict: Verdict): readonly string[] {
  const found: string[] = []
  if (row.issues !== undefined && verdict.issued.length !== row.issues)
    found.push(`${String(verdict.issued.length)} credentials, not ${String(row.issues)}`)
  const irrevocable = verdict.leases.filter((lease) => lease.irrevocable_dies_at !== null)
  for (const lease of irrevocable) {
    if (lease.provider !== 'github' || row.mayBeIrrevocable !== true)
      found.push(`${lease.id} (${lease.template}) is irrevocable`)
  }
  return found
}

function summary(leases: readonly LeaseRecord[]): string {
  const counts = new Map<string, number>()
  for (const lease of leases) {
    const state = lease.irrevocable_dies_at === null ? lease.state : 'irrevocable'
    counts.set(state, (counts.get(state) ?? 0) + 1)
  }
  return [...counts].map(([state, count]) => `${state} ${String(count)}`).join(', ') || 'none'
}
