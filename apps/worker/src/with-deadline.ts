/**
 * Runs `work` under a signal that aborts with `outer` or after `deadlineMs`. By hand, since
 * `AbortSignal.any` over a signal as old as the process leaks (nodejs/node#54614).
 */
export async function withDeadline<Result>(
  deadlineMs: number,
  outer: AbortSignal,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const inner = new AbortController()
  const cut = (): void => {
    inner.abort(outer.reason)
  }
  const timer = setTimeout(() => {
    inner.abort(new DOMException('took too long', 'TimeoutError'))
  }, deadlineMs)
  outer.addEventListener('abort', cut)
  if (outer.aborted) cut()
  try {
    return await work(inner.signal)
  } finally {
    clearTimeout(timer)
    outer.removeEventListener('abort', cut)
  }
}
