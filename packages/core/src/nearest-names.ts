/**
 * The known names most like one that is not known, the best first: those that a slip or two away
 * could have been meant. For text that its author reads, such as the problems of a policy set.
 */
function nearestNames(written: string, known: Iterable<string>): readonly string[] {
  const tolerance = Math.max(2, Math.floor(written.length / 3))
  return [...known]
    .map((name) => ({ name, distance: slips(written.toLowerCase(), name.toLowerCase()) }))
    .filter(({ distance }) => distance <= tolerance)
    .sort((one, other) => one.distance - other.distance || (one.name < other.name ? -1 : 1))
    .slice(0, 3)
    .map(({ name }) => name)
}

/** `; did you mean a or b?`, or nothing. */
export function didYouMean(written: string, known: Iterable<string>): string {
  const names = nearestNames(written, known)
  return names.length === 0 ? '' : `; did you mean ${names.join(' or ')}?`
}

/** Levenshtein's distance: letters to add, drop or replace. */
function slips(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, column) => column)
  for (const [index, letter] of Array.from(one).entries()) {
    const next = [index + 1]
    for (const [column, against] of Array.from(other).entries()) {
      const replaced = at(row, column) + (letter === against ? 0 : 1)
      next.push(Math.min(replaced, at(row, column + 1) + 1, at(next, column) + 1))
    }
    row = next
  }
  return at(row, row.length - 1)
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Infinity
}
