import { ConfigurationError, makeLogger, makeShutdown } from '@mayfly/runtime'

import { loadConfig } from './config.ts'
import { startWorker } from './worker.ts'

async function main(): Promise<void> {
  const { env } = process
  const config = loadConfig(env)
  const logger = makeLogger({ name: 'worker', level: config.logLevel })
  const shutdown = makeShutdown({
    stepMilliseconds: 8_000,
    onError: (step, err) => {
      logger.error({ step, err }, 'shutdown step failed')
    },
  })
  const stop = (status: number): void => {
    void shutdown.run().then(() => process.exit(status))
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      stop(0)
    })
  }
  await startWorker(config, { env, logger, shutdown }).catch((err: unknown) => {
    logger.fatal({ err }, 'worker could not start')
    stop(1)
  })
}

main().catch((error: unknown) => {
  console.error(error instanceof ConfigurationError ? error.message : error)
  process.exitCode = 1
})
