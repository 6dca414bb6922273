import { spawn } from 'node:child_process'

import { statusOf, type SignalRelay } from './signal-relay.ts'

export interface ChildCommand {
  readonly command: string
  readonly args: readonly string[]
  readonly env: Record<string, string | undefined>
}

/** The command is not there, or is no program. The statuses are those of POSIX shells. */
export class CannotRunError extends Error {
  override readonly name = 'CannotRunError'
  readonly exitStatus: number

  constructor(command: string, cause: NodeJS.ErrnoException) {
    super(`${command} cannot be run`, { cause })
    this.exitStatus = cause.code === 'ENOENT' ? 127 : 126
  }
}

/** Runs a command on this process's own streams. Resolves with the exit status to pass on. */
export async function runChild(
  { command, args, env }: ChildCommand,
  relay: SignalRelay,
): Promise<number> {
  relay.interrupted.throwIfAborted()
  const child = spawn(command, args, { env, stdio: 'inherit' })
  relay.passTo(child)
  return new Promise((resolve, reject) => {
    child.once('error', (cause: NodeJS.ErrnoException) => {
      reject(new CannotRunError(command, cause))
    })
    child.once('close', (code, signal) => {
      resolve(signal ? statusOf(signal) : (code ?? 1))
    })
  })
}
