export interface Deadline {
  readonly signal: AbortSignal
  /** Lets go of the caller's signal and of the timer. */
  readonly stop: () => void
}

/**
 * Aborts with the caller or after a time of its own. `AbortSignal.any` would do, but on Node 20 a
 * timeout inside it can be collected before it fires.
 */
export function startDeadline(caller: AbortSignal, timeoutMs: number): Deadline {
  const controller = new AbortController()
  const follow = () => {
    controller.abort(caller.reason)
  }
  if (caller.aborted) follow()
  caller.addEventListener('abort', follow, { once: true })
  const timer = setTimeout(() => {
    controller.abort(new DOMException('the time is up', 'TimeoutError'))
  }, timeoutMs)
  return {
    signal: controller.signal,
    stop: () => {
      clearTimeout(timer)
      caller.removeEventListener('abort', follow)
    },
  }
}
