import type { Report } from '@mayfly/core'

const EVERY_MS = 600_000

/** Lets the store forget, now and then, what can no longer matter. Returns how to stop. */
export function startPruning(prune: () => Promise<void>, report: Report): () => void {
  const timer = setInterval(() => {
    prune().catch((error: unknown) => {
      report('pruning failed', error)
    })
  }, EVERY_MS)
  return () => {
    clearInterval(timer)
  }
}
