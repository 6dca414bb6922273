import { ConfigurationError, makeLogger, startTracing } from '@mayfly/runtime'

import { loadConfig } from './config.ts'
import { startWorker, type Worker } from './worker.ts'

try {
  const config = loadConfig(process.env)
  const stopTracing = await startTracing({ name: 'mayfly-worker', env: process.env })
  const worker = await startWorker(config)
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => void stopped(worker, stopTracing))
  }
} catch (error) {
  // A wrong configuration is answered in plain words; everything else through the redacting log.
  if (error instanceof ConfigurationError) process.stderr.write(`${error.message}\n`)
  else makeLogger({ name: 'worker', level: 'info' }).fatal({ err: error }, 'worker did not start')
  process.exitCode = 1
}

async function stopped(worker: Worker, stopTracing: () => Promise<void>): Promise<void> {
  await worker.stop()
  await stopTracing().catch(() => undefined)
  // Timers of BullMQ, seconds long, would keep the process after its work is done.
  process.exit()
}
