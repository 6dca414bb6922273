/** Something that takes leases to revoke, and waits for those in hand when stopped. */
interface Taker {
  stop(): Promise<void>
}

/**
 * Stops alarms and sweeper together: neither takes anything new, what is in hand may finish within
 * the grace and is cut off after it. A revocation that was cut off is due again later.
 */
export async function stopTaking(
  takers: readonly Taker[],
  { graceMs, cut }: { readonly graceMs: number; readonly cut: AbortController },
): Promise<void> {
  const timer = setTimeout(() => {
    cut.abort()
  }, graceMs)
  try {
    await Promise.all(takers.map((taker) => taker.stop()))
  } finally {
    clearTimeout(timer)
  }
}
