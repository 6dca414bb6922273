import type { ContainmentTimes } from './contain-leases.ts'
import { CONTAINMENT_TARGETS, type ContainmentFigures } from './containment-bench.ts'
import { judged, table } from './draw-table.ts'
import type { ReachFigures } from './reach-bench.ts'
import type { SlowStatement } from './statement-times.ts'
import type { SweepFigures } from './sweep-bench.ts'

const CONTAINED = [
  'live leases contained',
  'frozen after',
  'answered',
  'last proof',
  'leases/s',
  'CPU per lease',
]

export function sweepTable(figures: readonly SweepFigures[]): string {
  return table(
    ['due at once, no queue', 'revoked by one worker', 'slowest statement of the database'],
    figures.map(({ leases, made, leasesPerSecond, target, slowest, targetStatementMs }) => [
      `${String(leases)} leases, ${made}`,
      judged(
        leasesPerSecond >= target,
        `${leasesPerSecond.toFixed(0)}/s (at least ${String(target)})`,
      ),
      slowestOf(slowest, targetStatementMs),
    ]),
  )
}

export function containmentTable({ rows }: ContainmentFigures): string {
  return table(CONTAINED, rows.map(containmentRow))
}

export function reachTable(figures: ReachFigures): string {
  const { ended, questions, targetP99Ms, metricsMs, containment, slowest } = figures
  const asked = table(
    [`with ${String(ended)} ended leases in the table`, 'p50', 'p99'],
    questions.map(({ question, p50Ms, p99Ms }) => [
      question,
      `${p50Ms.toFixed(1)} ms`,
      judged(p99Ms < targetP99Ms, `${p99Ms.toFixed(1)} ms (under ${String(targetP99Ms)})`),
    ]),
  )
  const contained = table(CONTAINED, [containmentRow(containment)])
  const metrics = `metrics of a worker ${metricsMs.toFixed(0)} ms`
  return `${asked}\n${contained}\n${metrics}, slowest statement ${slowestOf(slowest, 100)}`
}

function containmentRow(times: ContainmentTimes): readonly string[] {
  const { leases, freezeMs, answerMs, lastProofMs, leasesPerSecond, cpuMs } = times
  const { freezeMs: soon, leasesPerSecond: fast, atLeases } = CONTAINMENT_TARGETS
  const rate = leasesPerSecond.toFixed(0)
  return [
    String(leases),
    judged(freezeMs < soon, `${freezeMs.toFixed(0)} ms (under ${String(soon)})`),
    `${answerMs.toFixed(0)} ms`,
    `${(lastProofMs / 1000).toFixed(1)} s`,
    leases < atLeases
      ? rate
      : judged(leasesPerSecond >= fast, `${rate} (at least ${String(fast)})`),
    Object.entries(cpuMs)
      .map(([who, ms]) => `${who} ${ms.toFixed(1)} ms`)
      .join('\n'),
  ]
}

function slowestOf([first]: readonly SlowStatement[], targetMs: number): string {
  if (!first) return 'not measured'
  const what = `${first.maxMs.toFixed(0)} ms (under ${String(targetMs)})`
  return `${judged(first.maxMs < targetMs, what)}\n${first.text.trim().slice(0, 48)}…`
}
