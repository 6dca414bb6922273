import { ConfigurationError, makeLogger, startTracing } from '@mayfly/runtime'

import { startBroker } from './broker.ts'
import { loadConfig } from './config.ts'
import { setV8Flags } from './v8-flags.ts'

setV8Flags()
try {
  const config = loadConfig(process.env)
  const stopTracing = await startTracing({ name: 'mayfly-broker', env: process.env })
  const broker = await startBroker(config)
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(
      signal,
      () =>
        void broker
          .stop()
          .then(stopTracing)
          .catch(() => undefined),
    )
  }
} catch (error) {
  // A wrong configuration is answered in plain words; everything else through the redacting log.
  if (error instanceof ConfigurationError) process.stderr.write(`${error.message}\n`)
  else makeLogger({ name: 'broker', level: 'info' }).fatal({ err: error }, 'broker did not start')
  process.exitCode = 1
}
