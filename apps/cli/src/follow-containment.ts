import { setTimeout as pause } from 'node:timers/promises'

import {
  ProblemError,
  type AuthorizedCall,
  type Client,
  type ContainmentBody,
} from '@mayfly/protocol'

import { progressBar, progressText } from './containment-text.ts'
import type { Output, Terminal } from './terminal.ts'

const POLL_EVERY_MS = 1_000

const SETTLED: ReadonlySet<string> = new Set(['waiting', 'finished', 'cancelled'])

export interface Following {
  readonly client: Client
  readonly call: AuthorizedCall
  readonly terminal: Terminal
  readonly timeoutSeconds: number
}

/**
 * Shows how far it got until nothing is left to be done, or the time is up. Events where they come
 * through, and questions where something in between keeps them.
 */
export async function followContainment(
  begun: ContainmentBody,
  { client, call, terminal, timeoutSeconds }: Following,
): Promise<ContainmentBody> {
  const deadline = AbortSignal.timeout(timeoutSeconds * 1000)
  const progress = makeProgress(terminal.stderr)
  let containment = begun
  const see = (seen: ContainmentBody): void => {
    containment = seen
    progress.show(seen)
  }
  see(begun)
  try {
    for await (const seen of client.watchContainment(begun.id, { ...call, signal: deadline }))
      see(seen)
  } catch (error) {
    // A token that expired or a role that was taken away will not get better by asking again.
    if (error instanceof ProblemError && error.problem.status < 500) throw error
  }
  while (!SETTLED.has(containment.state) && !deadline.aborted) {
    await pause(POLL_EVERY_MS)
    see((await client.getContainment(begun.id, { limit: 1 }, call)).containment)
  }
  progress.end()
  return containment
}

/** A line that is redrawn, or, for files and pipes, a line for each change. */
function makeProgress(output: Output): { show(seen: ContainmentBody): void; end(): void } {
  let last = ''
  const redraws = output.isTTY === true
  return {
    show(seen) {
      const text = redraws ? progressBar(seen) : progressText(seen)
      if (text === last) return
      last = text
      output.write(redraws ? `\r\u001B[K${text}` : `${text}\n`)
    },
    end() {
      if (redraws) output.write('\n')
    },
  }
}
