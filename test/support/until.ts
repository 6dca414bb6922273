import { setTimeout as pause } from 'node:timers/promises'

/** Waits for a condition, and fails when it has not come true in time. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  deadlineMs = 20_000,
): Promise<void> {
  const deadline = Date.now() + deadlineMs
  while (!(await condition())) {
    if (Date.now() > deadline)
      throw new Error(`not within ${String(deadlineMs)} ms: ${condition.toString()}`)
    await pause(10)
  }
}
