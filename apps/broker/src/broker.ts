import { makeLogger, makeShutdown } from '@mayfly/runtime'

import type { BrokerPorts } from './broker-ports.ts'
import { composeBroker } from './compose-broker.ts'
import type { BrokerConfig } from './config.ts'

export interface Broker {
  /** Where it listens. */
  readonly url: URL
  stop(): Promise<void>
}

export interface BrokerOptions {
  /** Wraps the ports once they are made. Without it, they are used as they are. */
  readonly decorate?: (ports: BrokerPorts) => BrokerPorts
}

/** Starts a broker, migrations first. What a failed start had opened is closed again. */
export async function startBroker(
  config: BrokerConfig,
  { decorate = (ports) => ports }: BrokerOptions = {},
): Promise<Broker> {
  const logger = makeLogger({ name: 'broker', level: config.logLevel })
  const shutdown = makeShutdown({
    stepMilliseconds: 10_000,
    onError: (step, err) => {
      logger.error({ err, step }, 'shutdown step failed')
    },
  })
  try {
    const url = await composeBroker({ config, logger, shutdown, decorate })
    logger.info({ url: url.href, publicUrl: config.publicUrl }, 'broker listening')
    return { url, stop: () => shutdown.run() }
  } catch (error) {
    await shutdown.run()
    throw error
  }
}
