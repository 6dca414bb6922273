import type { ChildProcess } from 'node:child_process'
import { constants } from 'node:os'

const RELAYED = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Keeps signals from ending this process before its credentials are revoked. */
export interface SignalRelay {
  /** Aborted by a signal that comes while no child runs. */
  readonly interrupted: AbortSignal
  /** That signal. */
  caught(): NodeJS.Signals | null
  /** From now on, signals are for the child to act on. */
  passTo(child: ChildProcess): void
  stop(): void
}

/** Starts to catch the signals that ask a process to end. Until stopped, none of them ends this one. */
export function startSignalRelay(): SignalRelay {
  const interruption = new AbortController()
  let caught: NodeJS.Signals | null = null
  let child: ChildProcess | null = null

  function onSignal(signal: NodeJS.Signals): void {
    if (!child) {
      caught ??= signal
      interruption.abort()
      return
    }
    // A terminal sends Ctrl-C to all of its processes, so the child has it already.
    if (signal === 'SIGINT' && process.stdin.isTTY) return
    child.kill(signal)
  }

  for (const signal of RELAYED) process.on(signal, onSignal)
  return {
    interrupted: interruption.signal,
    caught: () => caught,
    passTo: (started) => {
      child = started
    },
    stop: () => {
      for (const signal of RELAYED) process.off(signal, onSignal)
    },
  }
}

/** The exit status by which shells report that a signal ended a process. */
export function statusOf(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal]
}
