import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

/** A process that comes back whenever it dies, as under any orchestrator. */
export interface Supervised {
  readonly name: string
  readonly url: URL
  signal(signal: NodeJS.Signals): void
  /** How often it has come back. */
  restarts(): number
  /** Stops it and starts it again, with more in its environment. */
  replace(environment?: Readonly<Record<string, string>>): Promise<void>
  untilReady(): Promise<void>
  stop(): Promise<void>
}

export interface SupervisedOptions {
  readonly name: string
  /** The file to run. */
  readonly entry: string
  readonly url: URL
  readonly environment: Readonly<Record<string, string>>
  readonly logFile: string
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const SHIFT_CLOCK = new URL('./shift-clock.js', import.meta.url).href
const READY_MS = 90_000
const STOP_MS = 15_000

export async function startSupervised(options: SupervisedOptions): Promise<Supervised> {
  const log = createWriteStream(options.logFile, { flags: 'a', mode: 0o600 })
  let environment = options.environment
  let stopping = false
  let restarts = -1
  let child = start()

  function start(): ChildProcess {
    restarts += 1
    const shifted = environment['CLOCK_SHIFT_MS'] === undefined ? [] : ['--import', SHIFT_CLOCK]
    const started = spawn(process.execPath, [...shifted, options.entry], {
      cwd: ROOT,
      env: { ...environment },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    started.stdout?.pipe(log, { end: false })
    started.stderr?.pipe(log, { end: false })
    started.once('exit', () => {
      if (!stopping && started === child) child = start()
    })
    return started
  }

  async function end(): Promise<void> {
    stopping = true
    const ending = child
    if (ending.exitCode !== null || ending.signalCode !== null) return
    const exited = once(ending, 'exit')
    ending.kill('SIGCONT')
    ending.kill('SIGTERM')
    const patience = setTimeout(() => ending.kill('SIGKILL'), STOP_MS)
    await exited
    clearTimeout(patience)
  }

  async function untilReady(): Promise<void> {
    const deadline = Date.now() + READY_MS
    while (Date.now() < deadline) {
      const answer = await fetch(new URL('/healthz', options.url)).catch(() => null)
      if (answer?.ok) return
      await pause(50)
    }
    throw new Error(`${options.name} was not ready within ${String(READY_MS)} ms`)
  }

  const supervised: Supervised = {
    name: options.name,
    url: options.url,
    signal: (signal) => void child.kill(signal),
    restarts: () => restarts,
    async replace(more = {}) {
      await end()
      environment = { ...options.environment, ...more }
      stopping = false
      child = start()
      await untilReady()
    },
    untilReady,
    async stop() {
      await end()
      log.end()
    },
  }
  try {
    await untilReady()
  } catch (error) {
    await supervised.stop()
    throw error
  }
  return supervised
}
