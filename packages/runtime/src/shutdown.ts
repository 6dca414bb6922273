export interface ShutdownOptions {
  /** How long one step may take before the next one is begun. */
  readonly stepMilliseconds: number
  readonly onError: (step: string, error: unknown) => void
}

export interface Shutdown {
  /** Steps run in the reverse of the order in which they were added. */
  add(step: string, stop: () => unknown): void
  /** Runs every step once, whatever the others do. A second call waits for the first. */
  run(): Promise<void>
}

/** Undoes a start-up in reverse, so that nothing is closed while something above still uses it. */
export function makeShutdown(options: ShutdownOptions): Shutdown {
  const steps: { name: string; stop: () => unknown }[] = []
  let running: Promise<void> | undefined

  async function runAll(): Promise<void> {
    for (const { name, stop } of steps.toReversed()) {
      try {
        await within(options.stepMilliseconds, stop)
      } catch (error) {
        options.onError(name, error)
      }
    }
  }

  return {
    add(name, stop) {
      steps.push({ name, stop })
    },
    run() {
      running ??= runAll()
      return running
    },
  }
}

async function within(milliseconds: number, work: () => unknown): Promise<void> {
  const { promise: tooLong, reject } = deferred()
  const timer = setTimeout(() => {
    reject(new Error(`did not stop within ${String(milliseconds)} ms`))
  }, milliseconds)
  try {
    await Promise.race([Promise.resolve().then(work), tooLong])
  } finally {
    clearTimeout(timer)
  }
}

/** `Promise.withResolvers` is newer than Node 20. */
function deferred(): { promise: Promise<never>; reject: (error: Error) => void } {
  let reject: (error: Error) => void = () => undefined
  const promise = new Promise<never>((_resolve, rejectIt) => {
    reject = rejectIt
  })
  return { promise, reject }
}
