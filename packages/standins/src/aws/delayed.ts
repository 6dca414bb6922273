/** A value whose changes count only some time after they were written, as with IAM. */
export interface Delayed<Value> {
  /** What was written last, in effect or not. */
  readonly latest: () => Value
  /** What counts at `at`. */
  readonly effective: (at: Date) => Value
  readonly write: (value: Value) => void
}

export interface Propagation {
  readonly now: () => Date
  readonly propagationMs: number
}

interface Snapshot<Value> {
  readonly effectiveAt: number
  readonly value: Value
}

export function makeDelayed<Value>(
  initial: Value,
  { now, propagationMs }: Propagation,
): Delayed<Value> {
  const first: Snapshot<Value> = { effectiveAt: -Infinity, value: initial }
  let snapshots: readonly Snapshot<Value>[] = [first]
  const at = (instant: number) =>
    snapshots.findLast(({ effectiveAt }) => effectiveAt <= instant) ?? first
  return {
    latest: () => (snapshots.at(-1) ?? first).value,
    effective: (instant) => at(instant.getTime()).value,
    write(value) {
      const instant = now().getTime()
      const pending = snapshots.filter(({ effectiveAt }) => effectiveAt > instant)
      snapshots = [at(instant), ...pending, { effectiveAt: instant + propagationMs, value }]
    },
  }
}
