import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const PRELOAD = new URL('../../apps/sandbox/src/end-with-parent.ts', import.meta.url).href

/** Runs one of the scripts beside this file in a process of its own, which ends with ours. */
export function spawnScript(
  file: string,
  env: Readonly<Record<string, string>> = {},
): ChildProcess & { readonly stdout: NodeJS.ReadableStream } {
  const entry = fileURLToPath(new URL(file, import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', '--import', PRELOAD, entry], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['pipe', 'pipe', 'inherit', 'ipc'],
  })
  return child as typeof child & { readonly stdout: NodeJS.ReadableStream } // a pipe, as asked for
}

export interface ScriptServer {
  readonly url: URL
  readonly pid: number
  stop(): Promise<void>
}

/** Starts a script that prints its URL when it serves. */
export async function startScriptServer(
  file: string,
  env: Readonly<Record<string, string>> = {},
): Promise<ScriptServer> {
  const child = spawnScript(file, env)
  const exited = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })
  const failed = exited.then(([code]) =>
    Promise.reject(new Error(`${file} ended: ${String(code)}`)),
  )
  const [line] = (await Promise.race([once(lines, 'line'), failed])) as [string]
  failed.catch(() => undefined)
  return {
    url: new URL(line),
    pid: child.pid ?? 0,
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
      await exited
    },
  }
}
