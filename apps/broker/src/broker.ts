import { makeSigningKeys, makeTaskTokens, makeTokenVerifier } from '@mayfly/identity'
import { makeOpenApi } from '@mayfly/protocol'
import { makeProviders } from '@mayfly/providers'
import { makeRevocationQueue } from '@mayfly/queue'
import {
  makeIds,
  makeLogger,
  makeReport,
  makeShutdown,
  systemClock,
  type Logger,
  type Shutdown,
} from '@mayfly/runtime'
import { applyMigrations, openStore } from '@mayfly/store'

import type { BrokerConfig } from './config.ts'
import { makeApp } from './http/app.ts'
import { listen } from './listen.ts'
import { makeBrokerMetrics } from './metrics.ts'
import { makeConnectionsOf } from './policy-feed.ts'
import { makeReadiness } from './readiness.ts'
import { makeRefusals } from './refusals.ts'
import { startPolicies } from './start-policies.ts'
import { makeUseCases } from './use-cases.ts'
import { makeVerifiers } from './verifiers.ts'

export interface Broker {
  /** Where it listens. */
  readonly url: URL
  stop(): Promise<void>
}

/** Of the API, as the OpenAPI document states it. */
const VERSION = '1.0.0'

/** Starts a broker, migrations first. What a failed start had opened is closed again. */
export async function startBroker(config: BrokerConfig): Promise<Broker> {
  const logger = makeLogger({ name: 'broker', level: config.logLevel })
  const shutdown = makeShutdown({
    stepMilliseconds: 10_000,
    onError: (step, err) => {
      logger.error({ err, step }, 'shutdown step failed')
    },
  })
  try {
    const url = await compose(config, logger, shutdown)
    logger.info({ url: url.href, publicUrl: config.publicUrl }, 'broker listening')
    return { url, stop: () => shutdown.run() }
  } catch (error) {
    await shutdown.run()
    throw error
  }
}

/** The composition root: the one place where concrete things meet. */
async function compose(config: BrokerConfig, logger: Logger, shutdown: Shutdown): Promise<URL> {
  const { databaseUrl, redisUrl, sealingKeys } = config
  const clock = systemClock
  const newId = makeIds()
  const report = makeReport(logger)
  const metrics = makeBrokerMetrics()

  await applyMigrations(databaseUrl)
  const maxConnections = config.databasePoolSize
  const store = openStore({ connectionString: databaseUrl, maxConnections, sealingKeys, report })
  shutdown.add('store', () => store.close())
  const { tasks, leases, audit, deniedSessions } = store
  const { inForce, applyPolicySet, resolve } = await startPolicies({
    config,
    store,
    logger,
    report,
  })
  shutdown.add('policies', () => inForce.stop())
  const queue = makeRevocationQueue({ databaseUrl, redisUrl })
  shutdown.add('queue', () => queue.close())

  const policies = inForce
  const connectionsOf = makeConnectionsOf(store.policySets)
  const timeoutMs = config.providerTimeoutMs
  const providers = makeProviders({
    policies,
    connectionsOf,
    resolve,
    deniedSessions,
    clock,
    timeoutMs,
  })
  const signingKeys = makeSigningKeys({ store: store.signingKeys, clock })
  const taskTokens = makeTaskTokens({ signingKeys, issuer: config.publicUrl, clock })
  const tokenVerifier = makeTokenVerifier({ clock })

  const app = makeApp({
    ...makeUseCases({ config, store, policies, providers, queue, metrics, clock, newId, report }),
    ...{ tasks, leases, policies, applyPolicySet, taskTokens, logger, metrics, report },
    verifiers: makeVerifiers({ policies, tokenVerifier, taskTokens }),
    refused: makeRefusals(audit, report),
    checks: makeReadiness({ ping: () => store.ping(), policies, timeoutMs: 2_000 }),
    openApi: makeOpenApi({ serverUrl: config.publicUrl, version: VERSION }),
    newRequestId: () => newId('req'),
    trustProxy: config.trustProxy,
    requestsPerMinute: config.requestsPerMinute,
  })
  const server = await listen(app, config)
  shutdown.add('http', () => server.stop())
  return server.url
}
