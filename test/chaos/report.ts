import type { RowResult } from './run-row.ts'

export interface Totals {
  readonly rows: number
  readonly broken: number
  readonly issued: number
  readonly liveAtBound: number
  readonly slowestSeconds: number
}

export function totalsOf(results: readonly RowResult[]): Totals {
  return {
    rows: results.length,
    broken: results.filter(({ outcome }) => outcome === 'broken').length,
    issued: results.reduce((sum, { issued }) => sum + issued, 0),
    liveAtBound: results.reduce((sum, { liveAtBound }) => sum + liveAtBound, 0),
    slowestSeconds: Math.max(0, ...results.map(({ recoverySeconds }) => recoverySeconds ?? 0)),
  }
}

/** In the form in which the tests end, for whoever adds the two up. */
export function summaryOf(results: readonly RowResult[], skipped: number): string {
  const { rows, broken } = totalsOf(results)
  return `${String(rows - broken)} passed, ${String(broken)} failed, ${String(skipped)} skipped`
}

const HEADINGS = [
  'what',
  'where',
  'queue',
  'outcome',
  'issued',
  'live past bound',
  'recovery',
  'leases',
]

export function renderTable(results: readonly RowResult[]): string {
  const lines = results.map((one) => [
    ...[one.group, one.name, one.queue, one.outcome, String(one.issued), String(one.liveAtBound)],
    one.recoverySeconds === null ? '–' : `${one.recoverySeconds.toFixed(1)} s`,
    one.leases,
  ])
  const widths = HEADINGS.map((heading, column) =>
    Math.max(heading.length, ...lines.map((line) => line[column]?.length ?? 0)),
  )
  const row = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`
  return [row(HEADINGS), rule, ...lines.map(row)].join('\n')
}

export function renderProblems(results: readonly RowResult[]): string {
  return results
    .filter(({ problems }) => problems.length > 0)
    .map(
      ({ group, name, problems }) =>
        `${group}, ${name}:\n${problems.map((one) => `  ${one}\n`).join('')}`,
    )
    .join('')
}
