/** The alarm clock. Losing it costs punctuality, never a revocation. */
export interface RevocationQueue {
  /** Wakes a worker for this lease at `at`. */
  schedule(leaseId: string, at: Date): Promise<void>
}
