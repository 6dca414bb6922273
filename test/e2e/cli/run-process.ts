import { spawn, type ChildProcess } from 'node:child_process'
import { text } from 'node:stream/consumers'

import type { Ran } from '../../unit/cli/terminal.ts'

export interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<Ran>
}

/** Starts the real program as a process of its own. */
export function startMayfly(
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
): Running {
  const flags = ['--conditions=@mayfly/source', '--import', 'tsx', 'apps/cli/src/main.ts']
  const child = spawn(process.execPath, [...flags, ...argv], {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const status = new Promise<number>((resolve) => {
    child.once('close', (code) => {
      resolve(code ?? -1)
    })
  })
  const ended = Promise.all([status, text(child.stdout), text(child.stderr)])
  return {
    child,
    ended: ended.then(([code, stdout, stderr]) => ({ status: code, stdout, stderr })),
  }
}
