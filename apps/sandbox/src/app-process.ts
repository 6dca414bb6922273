import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath, pathToFileURL } from 'node:url'

export interface AppProcess {
  readonly pid: number
  /** Resolves with the exit code or signal name when the process ends, for whatever reason. */
  readonly ended: Promise<string>
  kill(signal: NodeJS.Signals): void
  /** SIGTERM, and SIGKILL for one that has not stopped after ten seconds. */
  stop(): Promise<void>
}

export interface AppOptions {
  readonly app: 'broker' | 'worker'
  /** The whole environment of the process: nothing of ours leaks into it. */
  readonly env: Readonly<Record<string, string>>
  /** Where its log lines go. */
  readonly logFile: string
  /** What runs: the source, through a loader, or what `npm run build` made of it. */
  readonly from?: 'source' | 'build'
}

const ROOT = new URL('../../../', import.meta.url)
const STOP_DEADLINE_MS = 10_000

/** Starts the broker or the worker from its own entry point, as production does. */
export async function startApp(options: AppOptions): Promise<AppProcess> {
  const child = spawn(process.execPath, commandLine(options), {
    cwd: fileURLToPath(ROOT),
    env: { ...options.env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const log = createWriteStream(options.logFile, { flags: 'a', mode: 0o600 })
  for (const stream of [child.stdout, child.stderr]) {
    if (stream) createInterface({ input: stream }).on('line', (line) => log.write(`${line}\n`))
  }
  const ended = once(child, 'exit').then(([code, signal]) => {
    log.end()
    return String(code ?? signal)
  })
  await once(child, 'spawn')

  return {
    pid: child.pid ?? 0,
    ended,
    kill: (signal) => void child.kill(signal),
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGTERM')
      const patience = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS)
      await ended
      clearTimeout(patience)
    },
  }
}

function commandLine({ app, from = 'source' }: AppOptions): readonly string[] {
  const file = (path: string): string => fileURLToPath(new URL(path, ROOT))
  const preload = (path: string): readonly string[] => ['--import', pathToFileURL(file(path)).href]
  if (from === 'build')
    return [...preload('apps/sandbox/dist/end-with-parent.js'), file(`apps/${app}/dist/main.js`)]
  const loader = ['--conditions=@mayfly/source', '--import', 'tsx']
  return [
    ...loader,
    ...preload('apps/sandbox/src/end-with-parent.ts'),
    file(`apps/${app}/src/main.ts`),
  ]
}
