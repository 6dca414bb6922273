import type { Terminal } from './terminal.ts'

/** One command of the `mayfly` program. */
export interface Command {
  /** For the list of commands: one line. */
  readonly summary: string
  /** The whole of `--help`. */
  readonly help: string
  /** Returns the exit status. Throws for everything that went wrong. */
  run(args: readonly string[], terminal: Terminal): Promise<number>
}
