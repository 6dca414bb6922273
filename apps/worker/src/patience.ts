/**
 * Resolves at the end of the wait that is running, or of a new one: however many ask, there is one
 * timer, and it keeps no process alive.
 */
export function makePatience(ms: number): () => Promise<void> {
  let running: Promise<void> | null = null
  return () =>
    (running ??= new Promise((resolve) => {
      setTimeout(() => {
        running = null
        resolve()
      }, ms).unref()
    }))
}
