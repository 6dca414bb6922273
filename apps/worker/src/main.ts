import { ConfigurationError, makeLogger } from '@mayfly/runtime'

import { loadConfig } from './config.ts'
import { startWorker } from './worker.ts'

try {
  const worker = await startWorker(loadConfig(process.env))
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    // Timers of BullMQ, seconds long, would keep the process after its work is done.
    process.once(signal, () => void worker.stop().then(() => process.exit()))
  }
} catch (error) {
  // A wrong configuration is answered in plain words; everything else through the redacting log.
  if (error instanceof ConfigurationError) process.stderr.write(`${error.message}\n`)
  else makeLogger({ name: 'worker', level: 'info' }).fatal({ err: error }, 'worker did not start')
  process.exitCode = 1
}
